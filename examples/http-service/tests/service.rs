//! The service as a client sees it: a program, requests over loopback, and a termination signal.
#![cfg(unix)]

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::process::{Child, ChildStdout, Command, Stdio};
use std::time::Duration;

/// Far longer than anything here takes.
const PATIENCE: Duration = Duration::from_secs(60);

/// The running program, killed with the value if a test did not end it.
struct Service {
    program: Child,
    output: BufReader<ChildStdout>,
    address: String,
}

impl Service {
    fn start() -> Service {
        let mut program = Command::new(env!("CARGO_BIN_EXE_corelane-http-service"))
            .arg("0")
            .stdout(Stdio::piped())
            .spawn()
            .expect("the program starts");
        let mut output = BufReader::new(program.stdout.take().expect("its output"));
        let mut line = String::new();
        output.read_line(&mut line).expect("a line");
        let address = line.trim().strip_prefix("listening on ").expect("where it listens").to_owned();
        Service { program, output, address }
    }

    fn connect(&self) -> TcpStream {
        let stream = TcpStream::connect(&self.address).expect("it listens");
        stream.set_read_timeout(Some(PATIENCE)).expect("a time-out");
        stream
    }

    /// Status and body of the answer to a request on a connection of its own.
    fn request(&self, method: &str, path: &str, body: &str) -> (u16, String) {
        let mut stream = self.connect();
        let length = body.len();
        write!(stream, "{method} {path} HTTP/1.1\r\nHost: polls\r\nConnection: close\r\nContent-Length: {length}\r\n\r\n{body}")
            .expect("a request");
        answer(stream)
    }

    fn terminate(&self) {
        let id = self.program.id().to_string();
        assert!(Command::new("kill").args(["-TERM", &id]).status().expect("kill runs").success());
    }

    /// What else it printed, and its exit code.
    fn end(mut self) -> (String, Option<i32>) {
        let mut rest = String::new();
        self.output.read_to_string(&mut rest).expect("text");
        (rest, self.program.wait().expect("it ends").code())
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        // Of no effect on one that has ended.
        let _ = self.program.kill();
        let _ = self.program.wait();
    }
}

/// Reads an answer up to the end of the connection.
fn answer(mut stream: TcpStream) -> (u16, String) {
    let mut text = String::new();
    stream.read_to_string(&mut text).expect("an answer");
    let (head, body) = text.split_once("\r\n\r\n").expect("a head and a body");
    let status = head.split(' ').nth(1).and_then(|status| status.parse().ok()).expect("a status");
    (status, body.to_owned())
}

#[test]
fn votes_are_counted_and_polls_kept_apart() {
    let service = Service::start();
    for (poll, choice, votes) in
        [("lunch", "soup", 1), ("lunch", "cake", 1), ("lunch", "soup", 2), ("tea", "soup", 1)]
    {
        let path = format!("/polls/{poll}");
        assert_eq!(service.request("POST", &path, choice), (200, format!("{votes}\n")));
    }
    assert_eq!(service.request("GET", "/polls/lunch", ""), (200, "1 cake\n2 soup\n".to_owned()));
    assert_eq!(service.request("GET", "/polls/tea", ""), (200, "1 soup\n".to_owned()));
    assert_eq!(service.request("GET", "/polls/dinner", "").0, 404);
    service.terminate();
    assert_eq!(service.end(), ("0 dead letters, ended cleanly: true\n".to_owned(), Some(0)));
}

#[test]
fn a_request_under_way_is_answered_before_the_service_ends() {
    let service = Service::start();
    let mut stream = service.connect();
    write!(
        stream,
        "POST /polls/lunch HTTP/1.1\r\nHost: polls\r\nExpect: 100-continue\r\nContent-Length: 4\r\n\r\n"
    )
    .expect("a head");
    // It asks for the body, so the request is being served.
    let expected = b"HTTP/1.1 100 Continue\r\n\r\n";
    let mut interim = [0; 25];
    stream.read_exact(&mut interim).expect("an interim answer");
    assert_eq!(&interim, expected);
    service.terminate();
    // It takes nobody new from here on.
    while TcpStream::connect(&service.address).is_ok() {
        std::thread::yield_now();
    }
    stream.write_all(b"cake").expect("the body");
    assert_eq!(answer(stream), (200, "1\n".to_owned()));
    assert_eq!(service.end(), ("0 dead letters, ended cleanly: true\n".to_owned(), Some(0)));
}

#[test]
fn a_bad_port_is_refused_with_a_reason() {
    let program = env!("CARGO_BIN_EXE_corelane-http-service");
    let output = Command::new(program).arg("http").output().expect("the program starts");
    assert_eq!(output.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&output.stderr).contains("'http' is no port"));
}
