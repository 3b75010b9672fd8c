//! A connection to a server, over which one request at a time goes: HTTP/1.1, with or without TLS.
//!
//! It must never wait beyond a deadline, an interrupt or the holder's death, and never take more of an answer than was asked for.

use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use hyper::body::HttpBody;
use hyper::client::conn::{Builder, SendRequest};
use hyper::header::{AUTHORIZATION, CONTENT_TYPE, HOST, HeaderValue, USER_AGENT};
use hyper::{Body, Request, StatusCode};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::runtime::Runtime;
use tokio_rustls::rustls::pki_types::ServerName;
use tokio_rustls::rustls::{ClientConfig, RootCertStore};
use tokio_rustls::{TlsConnector, client::TlsStream};

use super::target::Target;
use crate::sqlite::{Interrupt, Watch};
use crate::{Server, StoreError};

/// The longest time between two looks at whether to go on waiting; deadlines are kept to more exactly.
const LOOK: Duration = Duration::from_millis(25);

/// A connection that was not used for so long is made anew: servers close those that idle, and a request that meets the closing is lost.
const MAX_IDLE: Duration = Duration::from_secs(4);

/// What is read ahead of an answer, its header included.
const READ_AHEAD: usize = 256 * 1024;

/// What a refusal says beside its status is read so far.
const MAX_REFUSAL_BYTES: usize = 64 * 1024;

/// How often what is asked, and for whom, is looked after while waiting.
pub(super) struct Patience<'w> {
    pub(super) watch: &'w Watch,
    pub(super) interrupt: &'w Interrupt,
}

impl Patience<'_> {
    /// Why to wait no longer.
    fn exhausted(&self, now: Instant) -> Option<StoreError> {
        if self.interrupt.is_requested() {
            return Some(StoreError::Interrupted);
        }
        if self.watch.token.as_ref().is_some_and(|token| token.is_abandoned()) {
            return Some(StoreError::NoTransaction);
        }
        let late = self.watch.deadline.and_then(|deadline| now.checked_duration_since(deadline))?;
        Some(StoreError::Timeout { begun: true, late })
    }
}

/// The answer to a request, whose header is read.
pub(super) struct Answer {
    pub(super) status: StatusCode,
    body: Body,
}

pub(super) struct Link {
    /// There until it is dropped.
    runtime: Option<Runtime>,
    server: Server,
    authorization: Option<HeaderValue>,
    open: Option<Open>,
}

struct Open {
    sender: SendRequest<Body>,
    tls: bool,
    authority: String,
    used: Instant,
}

impl Drop for Link {
    fn drop(&mut self) {
        self.open = None;
        if let Some(runtime) = self.runtime.take() {
            // It may be looking up a name, which can't be stopped.
            runtime.shutdown_background();
        }
    }
}

impl Link {
    pub(super) fn new(server: &Server) -> Result<Self, StoreError> {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_io()
            .enable_time()
            .max_blocking_threads(1)
            .build()
            .map_err(|error| StoreError::Internal(format!("no connection to a server: {error}")))?;
        let authorization = server.auth_token.as_ref().map(|token| {
            let mut value = HeaderValue::try_from(format!("Bearer {token}"))
                .map_err(|_| StoreError::Internal("a token that is none".to_owned()))?;
            value.set_sensitive(true);
            Ok(value)
        });
        Ok(Self {
            runtime: Some(runtime),
            server: server.clone(),
            authorization: authorization.transpose()?,
            open: None,
        })
    }

    pub(super) fn server(&self) -> &Server {
        &self.server
    }

    /// Ends the connection: what was asked over it is not waited for.
    pub(super) fn drop_connection(&mut self) {
        self.open = None;
    }

    /// Waits for something to be done on this thread, which does nothing else.
    fn wait<T>(&self, patience: &Patience<'_>, work: impl Future<Output = T>) -> Result<T, StoreError> {
        let runtime = self.runtime.as_ref().ok_or(StoreError::Closed)?;
        runtime.block_on(async {
            let mut work = std::pin::pin!(work);
            loop {
                let now = Instant::now();
                if let Some(why) = patience.exhausted(now) {
                    return Err(why);
                }
                let look = now + LOOK;
                let until = patience.watch.deadline.map_or(look, |deadline| deadline.min(look));
                if let Ok(done) = tokio::time::timeout_at(until.into(), work.as_mut()).await {
                    return Ok(done);
                }
            }
        })
    }

    /// Asks, and waits for the header of the answer. The connection is good for another request once the answer is read to its end.
    pub(super) fn post(
        &mut self,
        target: &Target,
        endpoint: &str,
        body: String,
        patience: &Patience<'_>,
    ) -> Result<Answer, StoreError> {
        let mut sender = self.sender(target, patience)?;
        let mut request = Request::post(target.path_of(endpoint))
            .header(HOST, target.authority.as_str())
            .header(CONTENT_TYPE, "application/json")
            .header(USER_AGENT, concat!("wasgo/", env!("CARGO_PKG_VERSION")));
        if let Some(authorization) = &self.authorization {
            request = request.header(AUTHORIZATION, authorization);
        }
        let request = request
            .body(Body::from(body))
            .map_err(|error| StoreError::Internal(format!("a request that is none: {error}")))?;
        let answer = self.wait(patience, async {
            let answer = sender.send_request(request).await;
            answer.map(|answer| (sender, answer))
        })?;
        let (sender, answer) = answer.map_err(|error| self.broken(&error))?;
        self.open = Some(Open { sender, tls: target.tls, authority: target.authority.clone(), used: Instant::now() });
        let (head, body) = answer.into_parts();
        Ok(Answer { status: head.status, body })
    }

    /// The next piece of an answer; none at its end.
    pub(super) fn read(
        &mut self,
        answer: &mut Answer,
        patience: &Patience<'_>,
    ) -> Result<Option<hyper::body::Bytes>, StoreError> {
        let piece = self.wait(patience, answer.body.data())?;
        let piece = piece.transpose().map_err(|error| self.broken(&error))?;
        if let Some(open) = &mut self.open {
            open.used = Instant::now();
        }
        Ok(piece)
    }

    /// Reads an answer to its end, which is to come within `max` bytes.
    pub(super) fn read_all(
        &mut self,
        answer: &mut Answer,
        max: usize,
        patience: &Patience<'_>,
    ) -> Result<Vec<u8>, StoreError> {
        let mut all = Vec::new();
        while let Some(piece) = self.read(answer, patience)? {
            if piece.len() > max - all.len() {
                return Err(self.bad(format!("more than {max} bytes")));
            }
            all.extend_from_slice(&piece);
        }
        Ok(all)
    }

    /// What a refusal says, as far as it is worth reading.
    pub(super) fn read_refusal(&mut self, answer: &mut Answer, patience: &Patience<'_>) -> Result<Vec<u8>, StoreError> {
        let mut all = Vec::new();
        while let Some(piece) = self.read(answer, patience)? {
            let room = MAX_REFUSAL_BYTES - all.len();
            all.extend_from_slice(&piece[..piece.len().min(room)]);
            if piece.len() > room {
                self.drop_connection();
                break;
            }
        }
        Ok(all)
    }

    pub(super) fn bad(&self, problem: impl Into<String>) -> StoreError {
        StoreError::BadAnswer { server: self.server.url.clone(), problem: problem.into() }
    }

    fn broken(&self, error: &hyper::Error) -> StoreError {
        let server = self.server.url.clone();
        let problem = match std::error::Error::source(error) {
            Some(source) => format!("{error}: {source}"),
            None => error.to_string(),
        };
        if error.is_parse() || error.is_parse_too_large() {
            return StoreError::BadAnswer { server, problem };
        }
        StoreError::Disconnected { server, problem }
    }

    fn sender(&mut self, target: &Target, patience: &Patience<'_>) -> Result<SendRequest<Body>, StoreError> {
        if let Some(Open { mut sender, tls, authority, used }) = self.open.take()
            && tls == target.tls
            && authority == target.authority
            && used.elapsed() < MAX_IDLE
        {
            let ready = self.wait(patience, async {
                // The connection's own task first learns what came meanwhile: that it was closed, for example.
                tokio::task::yield_now().await;
                std::future::poll_fn(|context| sender.poll_ready(context)).await.map(|()| sender)
            })?;
            if let Ok(sender) = ready {
                return Ok(sender);
            }
        }
        let unreachable = |problem| StoreError::Unreachable { server: self.server.url.clone(), problem };
        let most = self.server.connect_timeout;
        let connected = self.wait(patience, async { tokio::time::timeout(most, connect(target)).await })?;
        match connected {
            Ok(connected) => connected.map_err(unreachable),
            Err(_) => Err(unreachable(format!("no connection within {} ms", most.as_millis()))),
        }
    }
}

async fn connect(target: &Target) -> Result<SendRequest<Body>, String> {
    let words = |error: std::io::Error| error.to_string();
    let tcp = TcpStream::connect((target.host.as_str(), target.port)).await.map_err(words)?;
    tcp.set_nodelay(true).map_err(words)?;
    if !target.tls {
        return speak(tcp).await;
    }
    let name = ServerName::try_from(target.host.clone()).map_err(|error| error.to_string())?;
    let tls: TlsStream<TcpStream> =
        TlsConnector::from(Arc::clone(tls_config())).connect(name, tcp).await.map_err(words)?;
    speak(tls).await
}

async fn speak(stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static) -> Result<SendRequest<Body>, String> {
    let mut builder = Builder::new();
    builder.http1_max_buf_size(READ_AHEAD);
    let (sender, connection) = builder.handshake(stream).await.map_err(|error| error.to_string())?;
    // Ends with the sender; what goes wrong is told to who asks.
    tokio::spawn(async { drop(connection.await) });
    Ok(sender)
}

fn tls_config() -> &'static Arc<ClientConfig> {
    static CONFIG: OnceLock<Arc<ClientConfig>> = OnceLock::new();
    CONFIG.get_or_init(|| {
        let roots = RootCertStore { roots: webpki_roots::TLS_SERVER_ROOTS.to_vec() };
        Arc::new(ClientConfig::builder().with_root_certificates(roots).with_no_client_auth())
    })
}
