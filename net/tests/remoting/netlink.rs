//! What the kernel is asked over netlink, as it stands in `netlink(7)`: requests, and attributes within them, begin with their
//! length and kind, and each is padded to four bytes.

use std::io::Read;

use socket2::{Domain, Protocol, Socket, Type};

use crate::common::LONG;

pub(crate) const CREATE: u16 = 0x400;
pub(crate) const EXCLUSIVE: u16 = 0x200;
pub(crate) const APPEND: u16 = 0x800;

const REQUEST: u16 = 1;
const ACKNOWLEDGE: u16 = 4;
/// The kind of an answer, which has an error's number or zero.
const ANSWER: u16 = 2;

/// Says what the network of this process is to be.
pub(crate) struct Netlink(Socket);

impl Netlink {
    /// One to a part of the kernel.
    pub(crate) fn open(part: i32) -> Result<Netlink, String> {
        let (netlink, part) = (Domain::from(libc::AF_NETLINK), Protocol::from(part));
        let socket =
            Socket::new(netlink, Type::RAW, Some(part)).map_err(|error| format!("netlink: {error}"))?;
        socket.set_read_timeout(Some(LONG)).unwrap();
        Ok(Netlink(socket))
    }

    /// Sends requests, of which so many are answered. What is not here, or not for this process, is refused; any other error is
    /// a mistake of these tests.
    pub(crate) fn ask(&self, what: &str, requests: &[Vec<u8>], answers: usize) -> Result<(), String> {
        self.0.send(&requests.concat()).unwrap();
        let mut refused = Ok(());
        for _ in 0..answers {
            let mut answer = [0; 4096];
            let length = (&self.0).read(&mut answer).unwrap();
            assert!(length >= 20 && answer[4..6] == ANSWER.to_ne_bytes(), "{what}: {:?}", &answer[..length]);
            let code = -i32::from_ne_bytes(answer[16..20].try_into().unwrap());
            let error = std::io::Error::from_raw_os_error(code);
            match code {
                0 => {}
                libc::EPERM | libc::EACCES | libc::EOPNOTSUPP => return Err(format!("{what}: {error}")),
                _ => refused = Err(format!("{what}: {error}")),
            }
        }
        if let Err(error) = refused {
            panic!("{error}");
        }
        Ok(())
    }
}

/// A request that is answered.
pub(crate) fn request(kind: u16, flags: u16, body: &[u8]) -> Vec<u8> {
    unanswered(kind, flags | ACKNOWLEDGE, body)
}

pub(crate) fn unanswered(kind: u16, flags: u16, body: &[u8]) -> Vec<u8> {
    let mut request = Vec::new();
    request.extend_from_slice(&(16 + body.len() as u32).to_ne_bytes());
    request.extend_from_slice(&kind.to_ne_bytes());
    request.extend_from_slice(&(flags | REQUEST).to_ne_bytes());
    // Its number, and whom it is from.
    request.extend_from_slice(&[0; 8]);
    request.extend_from_slice(body);
    request.resize(request.len().next_multiple_of(4), 0);
    request
}

pub(crate) fn attribute(kind: u16, body: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::new();
    bytes.extend_from_slice(&(4 + body.len() as u16).to_ne_bytes());
    bytes.extend_from_slice(&kind.to_ne_bytes());
    bytes.extend_from_slice(body);
    bytes.resize(bytes.len().next_multiple_of(4), 0);
    bytes
}
