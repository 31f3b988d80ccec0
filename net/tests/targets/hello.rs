//! Any bytes, as the body of a hello.

use corelane_net::wire::{Frame, HELLO_MAX, Hello, Kind, Room};

use crate::counting::most_held;

/// A body that is taken for a hello is one, and is written as it was read.
pub(crate) fn check(data: &[u8]) {
    let (flags, body) = data.split_first().map_or((0, data), |(first, rest)| (*first, rest));
    let frame = Frame { kind: Some(Kind::Hello), flags, detail: 0, body };
    let (hello, held) = most_held(|| Hello::read(&frame));
    assert_eq!(held, 0);
    if let Ok(hello) = hello {
        let mut bytes = [0; 1024];
        let mut room = Room::new(&mut bytes);
        assert!(hello.write(&mut room));
        assert_eq!(room.used(), hello.size());
        let (again, _) = Frame::read(room.written(), HELLO_MAX).unwrap().unwrap();
        assert_eq!(Hello::read(&again), Ok(hello));
        if let Some(version) = hello.common_version(2, 5) {
            assert!((2..=5).contains(&version));
            assert!((hello.version_oldest..=hello.version_newest).contains(&version));
        }
    }
}
