//! Replies as they go over a connection, in either version of the protocol.

/// Which version a connection speaks: RESP2 unless it says `HELLO 3`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Version {
    #[default]
    Two,
    Three,
}

/// Writes replies behind each other.
pub(crate) trait Write {
    fn raw(&mut self, bytes: &[u8]);

    /// A short text without line ends.
    fn simple(&mut self, text: &str) {
        self.raw(b"+");
        self.raw(text.as_bytes());
        self.raw(b"\r\n");
    }

    /// That something was done.
    fn ok(&mut self) {
        self.raw(b"+OK\r\n");
    }

    /// An error: its kind, then words. A line end in it becomes a space, for the text may be a peer's.
    fn error(&mut self, text: &str) {
        self.raw(b"-");
        let mut lines = text.split(['\r', '\n']);
        self.raw(lines.next().unwrap_or_default().as_bytes());
        for line in lines {
            self.raw(b" ");
            self.raw(line.as_bytes());
        }
        self.raw(b"\r\n");
    }

    fn integer(&mut self, n: i64) {
        self.tagged(b':', n);
    }

    fn bulk(&mut self, bytes: &[u8]) {
        self.tagged(b'$', bytes.len() as i64);
        self.raw(bytes);
        self.raw(b"\r\n");
    }

    /// Nothing, where a bulk string could be.
    fn null(&mut self, version: Version) {
        self.raw(if version == Version::Three { b"_\r\n" } else { b"$-1\r\n" });
    }

    /// So many replies follow, which are one.
    fn array(&mut self, len: usize) {
        self.tagged(b'*', len as i64);
    }

    /// So many pairs follow; the older version has no word for that.
    fn map(&mut self, len: usize, version: Version) {
        match version {
            Version::Two => self.tagged(b'*', 2 * len as i64),
            Version::Three => self.tagged(b'%', len as i64),
        }
    }

    fn tagged(&mut self, tag: u8, n: i64) {
        if let 0..=9 = n {
            return self.raw(&[tag, b'0' + n as u8, b'\r', b'\n']);
        }
        let mut text = Digits::new();
        self.raw(&[tag]);
        self.raw(text.of(n));
        self.raw(b"\r\n");
    }
}

impl Write for Vec<u8> {
    #[inline]
    fn raw(&mut self, bytes: &[u8]) {
        self.extend_from_slice(bytes);
    }
}

/// Room for the decimal digits of a number.
pub(crate) struct Digits([u8; 20]);

impl Digits {
    pub(crate) fn new() -> Digits {
        Digits([0; 20])
    }

    /// A number as it is written.
    pub(crate) fn of(&mut self, n: i64) -> &[u8] {
        let mut left = n.unsigned_abs();
        let mut at = self.0.len();
        loop {
            at -= 1;
            self.0[at] = b'0' + (left % 10) as u8;
            left /= 10;
            if left == 0 {
                break;
            }
        }
        if n < 0 {
            at -= 1;
            self.0[at] = b'-';
        }
        &self.0[at..]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(write: impl FnOnce(&mut Vec<u8>)) -> String {
        let mut to = Vec::new();
        write(&mut to);
        String::from_utf8(to).expect("text")
    }

    #[test]
    fn each_kind_of_reply_is_written_as_its_version_has_it() {
        assert_eq!(written(|to| to.simple("OK")), "+OK\r\n");
        assert_eq!(written(|to| to.error("ERR no\r\nway")), "-ERR no  way\r\n");
        assert_eq!(written(|to| to.bulk(b"a\r\nb")), "$4\r\na\r\nb\r\n");
        assert_eq!(
            written(|to| to.null(Version::Two)) + &written(|to| to.null(Version::Three)),
            "$-1\r\n_\r\n"
        );
        assert_eq!(
            written(|to| to.map(2, Version::Two)) + &written(|to| to.map(2, Version::Three)),
            "*4\r\n%2\r\n"
        );
        assert_eq!(written(|to| to.array(0)), "*0\r\n");
        for n in [0, 7, -7, 10, i64::MAX, i64::MIN] {
            assert_eq!(written(|to| to.integer(n)), format!(":{n}\r\n"));
        }
    }
}
