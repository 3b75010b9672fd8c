//! A server as the store sees it, well and not: one of the tests' own, which runs no SQL.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::{Value as Json, json};
use wasgo_store::{Access, Behavior, Limits, Options, Params, Request, Server, Store, StoreError, Value};

use crate::support::{int, query, receive, send};

/// What a server does with a request.
enum Act {
    Answer(String),
    Bytes(Vec<u8>),
    /// Says nothing until the client has gone.
    Hang,
}

/// Starts a server that does with each request, by its path and body, what `act` says; its address.
fn serve(act: impl Fn(&str, &Json) -> Act + Send + Sync + 'static) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let url = format!("http://{}", listener.local_addr().expect("an address"));
    let act = Arc::new(act);
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let act = Arc::clone(&act);
            // A client that goes away ends the thread for it.
            std::thread::spawn(move || stream.and_then(|stream| converse(stream, &*act)));
        }
    });
    url
}

fn converse(stream: TcpStream, act: &dyn Fn(&str, &Json) -> Act) -> std::io::Result<()> {
    let mut reader = BufReader::new(stream.try_clone()?);
    let mut writer = stream;
    loop {
        let mut line = String::new();
        if reader.read_line(&mut line)? == 0 {
            return Ok(());
        }
        let path = line.split(' ').nth(1).unwrap_or_default().to_owned();
        let mut length = 0;
        loop {
            let mut header = String::new();
            reader.read_line(&mut header)?;
            if let Some(value) = header.to_ascii_lowercase().strip_prefix("content-length:") {
                length = value.trim().parse().unwrap_or(0);
            }
            if header.trim().is_empty() {
                break;
            }
        }
        let mut body = vec![0; length];
        reader.read_exact(&mut body)?;
        match act(&path, &serde_json::from_slice(&body).unwrap_or_default()) {
            Act::Answer(text) => {
                write!(writer, "HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n{text}", text.len())?;
            }
            Act::Bytes(bytes) => {
                writer.write_all(&bytes)?;
                return Ok(());
            }
            Act::Hang => {
                reader.read_to_end(&mut Vec::new())?;
                return Ok(());
            }
        }
    }
}

/// What a server answers that is well, and has one row for every query.
fn well(path: &str, body: &Json, open: &Mutex<bool>) -> Act {
    if path == "/v3/cursor" {
        let lines = [
            json!({"baton": "b"}),
            json!({"type": "step_begin", "step": 0, "cols": [{"name": "a"}, {"name": null}]}),
            json!({"type": "row", "row": [{"type": "integer", "value": "7"}, {"type": "text", "value": "dr\u{f6}m\n"}]}),
            json!({"type": "step_end", "affected_row_count": 0, "last_insert_rowid": null}),
        ];
        return Act::Answer(lines.map(|line| line.to_string()).join("\n"));
    }
    let mut open = open.lock().expect("no panic");
    let result = |request: &Json| {
        match request["stmt"]["sql"].as_str() {
            Some(sql) if sql.starts_with("BEGIN") => *open = true,
            Some("COMMIT" | "ROLLBACK") => *open = false,
            _ => {}
        }
        match request["type"].as_str() {
            Some("close") => {
                *open = false;
                json!({"type": "close"})
            }
            Some("get_autocommit") => json!({"type": "get_autocommit", "is_autocommit": !*open}),
            _ => json!({"type": "execute", "result": {"affected_row_count": 3, "last_insert_rowid": "-5"}}),
        }
    };
    let requests = body["requests"].as_array().expect("requests");
    let results: Vec<_> = requests.iter().map(result).map(|done| json!({"type": "ok", "response": done})).collect();
    Act::Answer(json!({"baton": "b", "base_url": null, "results": results}).to_string())
}

fn well_server() -> String {
    let open = Mutex::new(false);
    serve(move |path, body| well(path, body, &open))
}

/// A server that is well but for what holds the word `silence`, which it tells of and never answers; and tells of all it is asked.
fn silent_server() -> (String, Receiver<String>) {
    let (asked, heard): (Sender<String>, _) = channel();
    let (open, asked) = (Mutex::new(false), Mutex::new(asked));
    let url = serve(move |path, body| {
        let text = body.to_string();
        let silent = text.contains("silence");
        // Nobody may be listening any more.
        let _ = asked.lock().expect("no panic").send(text);
        if silent { Act::Hang } else { well(path, body, &open) }
    });
    (url, heard)
}

fn until(heard: &Receiver<String>, word: &str) -> String {
    loop {
        let text = receive(heard);
        if text.contains(word) {
            return text;
        }
    }
}

fn connect(url: &str) -> Store {
    Store::open(Options::server(Server::at(url))).expect("a server")
}

#[test]
fn rows_and_what_was_done_come_from_the_server() {
    let store = connect(&well_server());
    let rows = query(&store, "SELECT 1", Params::none()).expect("rows");
    assert_eq!(rows.columns, ["a", ""]);
    assert_eq!(rows.rows, [[int(7), Value::Text("dröm\n".into())]]);
    let done = store.wait(Request::execute("INSERT", Params::none())).expect("done").executed();
    assert_eq!((done.changes, done.last_insert_rowid), (3, -5));
}

#[test]
fn a_silent_server_is_waited_for_until_the_deadline() {
    let (url, _heard) = silent_server();
    let store = connect(&url);
    for request in [Request::query("silence", Params::none()), Request::execute("silence", Params::none())] {
        let answer = store.wait(request.timeout(Duration::from_millis(50)));
        assert!(matches!(answer, Err(StoreError::Timeout { begun: true, .. })), "{answer:?}");
    }
    assert!(query(&store, "SELECT 1", Params::none()).is_ok());
}

#[test]
fn an_interrupt_ends_the_waiting_of_writer_and_readers() {
    let (url, heard) = silent_server();
    let store = connect(&url);
    let answers = [
        send(&store, Request::query("silence", Params::none())),
        send(&store, Request::execute("silence", Params::none())),
    ];
    until(&heard, "silence");
    until(&heard, "silence");
    store.interrupt();
    for answer in answers {
        assert_eq!(receive(&answer), Err(StoreError::Interrupted));
    }
    let last = send(&store, Request::execute("silence", Params::none()));
    until(&heard, "silence");
    store.close_now();
    assert_eq!(receive(&last), Err(StoreError::Interrupted));
    assert_eq!(store.close_and_wait(), Ok(()));
}

#[test]
fn an_abandoned_transaction_is_ended_on_the_server_and_its_statement_given_up() {
    let (url, heard) = silent_server();
    let store = connect(&url);
    let token = store.token();
    store.wait(Request::begin(&token, Behavior::Immediate)).expect("begun");
    until(&heard, "BEGIN IMMEDIATE");
    let waiting = send(&store, Request::execute("INSERT", Params::none()));
    drop(token);
    // The stream that it was on is told to end.
    let told = until(&heard, "close");
    assert!(told.contains("\"baton\":\"b\""), "{told}");
    assert!(receive(&waiting).is_ok());

    let token = store.token();
    store.wait(Request::begin(&token, Behavior::Immediate)).expect("begun");
    let stopped = send(&store, Request::execute("silence", Params::none()).within(&token));
    until(&heard, "silence");
    token.abandon();
    assert_eq!(receive(&stopped), Err(StoreError::NoTransaction));
}

#[test]
fn answers_that_are_none_are_told_from_those_that_end_early() {
    let flood = format!("HTTP/1.1 200 OK\r\ncontent-length: 9000000\r\n\r\n{}", " ".repeat(2_000_000));
    for (bytes, is_bad) in [
        ("220 mail\r\n", true),
        ("HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}", true),
        ("HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\n\u{0}\u{1}\u{2}\u{3}", true),
        (flood.as_str(), true),
        ("HTTP/1.1 200 OK\r\ncontent-length: 200\r\n\r\n{", false),
        ("HTTP/1.1 200", false),
        ("", false),
    ] {
        let answer = bytes.as_bytes().to_vec();
        let url = serve(move |_, _| Act::Bytes(answer.clone()));
        let error = Store::open(Options::server(Server::at(url))).expect_err("no server");
        let StoreError::Open { source, .. } = error else { panic!("{error:?}") };
        match is_bad {
            true => assert!(matches!(*source, StoreError::BadAnswer { .. }), "{bytes:.40}: {source:?}"),
            false => assert!(matches!(*source, StoreError::Disconnected { .. }), "{bytes:.40}: {source:?}"),
        }
    }
}

#[test]
fn a_refused_token_is_an_error_that_does_not_hold_it() {
    let refusal = "{\"error\":\"who are you\"}";
    let bytes = format!("HTTP/1.1 401 x\r\ncontent-length: {}\r\n\r\n{refusal}", refusal.len()).into_bytes();
    let url = serve(move |_, _| Act::Bytes(bytes.clone()));
    let server = Server { auth_token: Some("sesame".into()), ..Server::at(url) };
    assert!(!format!("{server:?}").contains("sesame"));
    let error = Store::open(Options::server(server)).expect_err("refused");
    assert_eq!(error.code_name(), "unauthorized");
    assert!(error.to_string().contains("who are you"), "{error}");
    assert!(!format!("{error:?}").contains("sesame"));
}

#[test]
fn a_cursor_reads_rows_in_pieces_of_what_it_has_room_for() {
    let url = serve(|path, body| {
        if path != "/v3/cursor" {
            return well(path, body, &Mutex::new(false));
        }
        let mut lines = vec![json!({"baton": null}).to_string()];
        lines.push(json!({"type": "step_begin", "step": 0, "cols": [{"name": "a"}]}).to_string());
        lines.extend(
            (0..10).map(|i| json!({"type": "row", "row": [{"type": "integer", "value": i.to_string()}]}).to_string()),
        );
        lines.push(json!({"type": "step_end"}).to_string());
        Act::Answer(lines.join("\n"))
    });
    let store = connect(&url);
    let cursor = store.cursor("SELECT", Params::none()).expect("a cursor");
    let limits = Limits { max_rows: 4, ..Limits::default() };
    let mut sizes = Vec::new();
    loop {
        let (sender, piece) = channel();
        let done = move |run: wasgo_store::Run<'_>| {
            let mut rows = wasgo_store::Rows::default();
            let more = run(&mut rows);
            sender.send(more.map(|more| (more, rows))).expect("heard");
        };
        cursor.fetch(limits, None, None, Box::new(done)).expect("accepted");
        let (more, rows) = receive(&piece).expect("rows");
        assert_eq!(rows.columns, ["a"]);
        sizes.push(rows.rows.len());
        if !more {
            break;
        }
    }
    assert_eq!(sizes, [4, 4, 2]);
}

#[test]
fn what_only_sqlite_can_do_is_refused_by_name() {
    let store = connect(&well_server());
    let access = Arc::new(Access::default());
    let refused = |what: Result<_, StoreError>| match what {
        Err(StoreError::NotRemote { .. }) => {}
        other => panic!("{other:?}"),
    };
    refused(store.wait(Request::query("SELECT 1", Params::none()).confined()));
    refused(store.wait(Request::execute("SELECT 1", Params::none()).restricted(access)));
    assert!(store.back_up("/nowhere/at/all", None, |_| ()).is_err());
    assert!(store.subscribe(None, Box::new(|_| ())).is_err());
    assert_eq!(store.sync(None, |_| ()), Err(StoreError::NoReplica));
}
