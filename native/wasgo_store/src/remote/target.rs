//! Where a server listens.

use hyper::Uri;

use crate::StoreError;

/// The longest address that is taken.
const MAX_URL_BYTES: usize = 2048;

/// An address, taken apart.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Target {
    pub(super) tls: bool,
    /// A name or an address, without the brackets of an IPv6 one.
    pub(super) host: String,
    pub(super) port: u16,
    /// As in the `Host` header.
    pub(super) authority: String,
    /// Before the protocol's own paths; no slash at its end.
    path: String,
}

impl Target {
    /// Takes an address apart, or says what is wrong with it.
    pub(super) fn parse(url: &str) -> Result<Self, String> {
        if url.len() > MAX_URL_BYTES {
            return Err(format!("the address has more than {MAX_URL_BYTES} bytes"));
        }
        let uri: Uri = url.parse().map_err(|error| format!("no address of a server: {error}"))?;
        // The type of addresses without a scheme, or without a host, is the same.
        let scheme = uri.scheme_str().unwrap_or_default().to_ascii_lowercase();
        let plain = match uri.query() {
            None => false,
            Some("tls=0") if scheme == "libsql" => true,
            Some("tls=1") if scheme == "libsql" => false,
            // It may be a secret: not repeated.
            Some(_) => return Err("the address has a query: a token is given by the option auth_token".to_owned()),
        };
        let tls = match scheme.as_str() {
            "http" => false,
            "https" => true,
            "libsql" => !plain,
            other => return Err(format!("a server is reached by http, https or libsql, and not by {other:?}")),
        };
        let authority = uri.authority().ok_or("the address names no host")?;
        if authority.as_str().contains('@') {
            return Err("the address holds a user's name: a token is given by the option auth_token".to_owned());
        }
        let host = authority.host().trim_start_matches('[').trim_end_matches(']').to_owned();
        if host.is_empty() {
            return Err("the address names no host".to_owned());
        }
        if plain && authority.port_u16().is_none() {
            return Err("libsql:// with tls=0 needs a port".to_owned());
        }
        let names_port = authority.as_str().len() > authority.host().len();
        let port = match authority.port_u16() {
            Some(port) => port,
            None if names_port => return Err("the port is no number up to 65535".to_owned()),
            None if tls => 443,
            None => 80,
        };
        let path = uri.path().trim_end_matches('/').to_owned();
        Ok(Self { tls, host, port, authority: authority.as_str().to_owned(), path })
    }

    /// As [`Self::parse`], for an address that a server gives.
    pub(super) fn given(url: &str, by: &Self) -> Result<Self, String> {
        let given = Self::parse(url)?;
        match by.tls && !given.tls {
            true => Err(format!("it sends its clients on to {}, which is not encrypted", given.authority)),
            false => Ok(given),
        }
    }

    /// The path of an endpoint.
    pub(super) fn path_of(&self, endpoint: &str) -> String {
        format!("{}/{endpoint}", self.path)
    }
}

/// Whether a server can be asked at all, as far as can be said without asking it.
pub(crate) fn check(server: &crate::Server) -> Result<(), StoreError> {
    let refuse = |option, problem| Err(StoreError::InvalidOption { option, problem });
    if let Err(problem) = Target::parse(&server.url) {
        return refuse("location", problem);
    }
    match server.auth_token.as_deref() {
        Some(token) if token.is_empty() || !token.bytes().all(|byte| byte.is_ascii_graphic()) => {
            refuse("auth_token", "a token has letters, digits and signs of ASCII, and nothing else".to_owned())
        }
        Some(token) if token.len() > super::MAX_TOKEN_BYTES => {
            refuse("auth_token", format!("the token has more than {} bytes", super::MAX_TOKEN_BYTES))
        }
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::Target;

    fn parts(url: &str) -> Result<(bool, String, u16, String), String> {
        let target = Target::parse(url)?;
        Ok((target.tls, target.host.clone(), target.port, target.path_of("v3")))
    }

    #[test]
    fn addresses_are_taken_apart() {
        for (url, tls, host, port, path) in [
            ("http://127.0.0.1:8080", false, "127.0.0.1", 8080, "/v3"),
            ("http://db.example", false, "db.example", 80, "/v3"),
            ("https://db.example/", true, "db.example", 443, "/v3"),
            ("libsql://db.example", true, "db.example", 443, "/v3"),
            ("libsql://db.example:9000?tls=0", false, "db.example", 9000, "/v3"),
            ("https://db.example/one/two/", true, "db.example", 443, "/one/two/v3"),
            ("http://[::1]:8080", false, "::1", 8080, "/v3"),
        ] {
            assert_eq!(parts(url), Ok((tls, host.to_owned(), port, path.to_owned())), "{url}");
        }
    }

    #[test]
    fn what_is_no_address_of_a_server_is_refused_and_secrets_in_it_are_not_repeated() {
        for url in [
            "",
            "db.example",
            "ws://db.example",
            "file:///a.db",
            "http://",
            "http://me:sesame@db.example",
            "https://db.example?authToken=sesame",
            "libsql://db.example?tls=0",
            "http://db.example:99999",
        ] {
            let problem = Target::parse(url).expect_err(url);
            assert!(!problem.contains("sesame"), "{problem}");
        }
    }

    #[test]
    fn a_server_sends_nobody_from_an_encrypted_connection_to_another() {
        let secure = Target::parse("https://a.example").expect("an address");
        assert!(Target::given("http://a.example", &secure).is_err());
        assert!(Target::given("https://b.example", &secure).is_ok());
    }
}
