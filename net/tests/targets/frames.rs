//! Any bytes, as frames.

use corelane_net::wire::{Frame, HEAD, Meaning, Room};

use super::reading::{LIMIT, meaning, read_all};

/// Frames are the same in whatever pieces the bytes come; what is read and written again reads the same.
pub(crate) fn check(data: &[u8]) {
    let mut whole = Vec::new();
    let (taken, end) = read_all(data, |frame| {
        let read = meaning(frame);
        whole.push(read);
        if let Ok(meaning) = read
            && meaning != Meaning::Skipped
        {
            let mut bytes = vec![0; frame.body.len() + HEAD + 16];
            let mut room = Room::new(&mut bytes);
            assert!(meaning.write(&mut room), "{meaning:?}");
            let (again, size) = Frame::read(room.written(), LIMIT).unwrap().unwrap();
            assert_eq!(size, room.used());
            assert_eq!(Meaning::read(&again), Ok(meaning));
        }
    });

    // Byte by byte, keeping only what no frame has taken.
    let mut kept: Vec<u8> = Vec::new();
    let (mut pieces, mut piecewise_taken) = (0, 0);
    let mut piecewise_end = Ok(());
    for byte in data {
        kept.push(*byte);
        let (size, result) = read_all(&kept, |frame| {
            assert_eq!(meaning(frame), whole[pieces]);
            pieces += 1;
        });
        kept.drain(..size);
        piecewise_taken += size;
        if result.is_err() {
            piecewise_end = result;
            break;
        }
    }
    assert_eq!((piecewise_taken, pieces, piecewise_end), (taken, whole.len(), end));
}
