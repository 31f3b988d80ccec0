//! The demo on a board that is a plain object: its interrupt comes when the demo sleeps, several times in a row where
//! the board plays a busy one.

use std::mem::MaybeUninit;

use corelane_bare_demo::samples::{Converter, Summary};
use corelane_bare_demo::{Board, LANE_WORDS, REGION_BYTES, Source, Trouble, run};
use corelane_kernel::{LaneMemory, RegionError};

/// Ticks when asked to wait: up to `busy` times, as if it had been late.
struct Bench {
    source: Option<Source>,
    ticks: u32,
    busy: u32,
    waits: u32,
    console: String,
}

impl Bench {
    fn new(busy: u32) -> Bench {
        Bench { source: None, ticks: 0, busy, waits: 0, console: String::new() }
    }

    fn tick(&mut self) {
        self.ticks += 1;
        self.source.as_mut().expect("the demo starts the board first").on_interrupt();
    }
}

impl Board for Bench {
    type Console = String;

    fn start(&mut self, source: Source) {
        assert!(self.source.replace(source).is_none());
    }

    fn ticks(&self) -> u32 {
        self.ticks
    }

    fn wait_past(&mut self, seen: u32) {
        self.waits += 1;
        for _ in 0..1 + self.waits % self.busy {
            self.tick();
        }
        assert_ne!(self.ticks, seen);
    }

    fn console(&mut self) -> &mut String {
        &mut self.console
    }
}

fn region(bytes: usize) -> &'static mut [MaybeUninit<u8>] {
    Box::leak(vec![MaybeUninit::uninit(); bytes].into_boxed_slice())
}

fn lane() -> &'static LaneMemory<LANE_WORDS> {
    Box::leak(Box::new(LaneMemory::new()))
}

#[test]
fn every_board_prints_the_expected_lines() {
    // One test for all, as states are counted in a static.
    for busy in [1, 2, 3, 7] {
        let mut board = Bench::new(busy);
        let verdict =
            run(&mut board, region(REGION_BYTES), lane().split().expect("a fresh lane")).expect("a verdict");
        assert!(verdict.passed(), "{}", board.console);
        let printed: Vec<&str> = board.console.lines().filter(|line| !line.starts_with("board:")).collect();
        let expected: Vec<&str> = include_str!("../expected.txt").lines().collect();
        assert_eq!(printed, expected);
    }

    let mut board = Bench::new(1);
    let too_small =
        run(&mut board, region(1024), lane().split().expect("a fresh lane")).expect_err("no room");
    assert!(matches!(
        too_small,
        Trouble::Kernel(corelane_kernel::KernelError::Region(RegionError::TooSmall { .. }))
    ));
}

#[test]
fn windows_append_to_the_whole() {
    let mut parts = Summary::EMPTY;
    let all: Vec<u16> = Converter::default().collect();
    for piece in all.chunks(37) {
        let mut window = Summary::EMPTY;
        piece.iter().for_each(|sample| window.add(*sample));
        parts.append(window);
    }
    assert_eq!(parts, Summary::expected());
}
