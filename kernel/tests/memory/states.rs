//! What a region may be, and the states in it: of every size and alignment, each beside its header.

use std::sync::{Arc, Mutex};

use corelane_kernel::{Actor, Ctx, Kernel, KernelConfig, KernelError, Outcome, Region, RegionError, limits};

use crate::common::{Order, World, lock};

/// An actor whose state is so many bytes, each of which it knows.
struct Block<const N: usize> {
    bytes: [u8; N],
    seed: u8,
    seen: Arc<Mutex<u64>>,
}

impl<const N: usize> Block<N> {
    fn new(seed: u8, seen: &Arc<Mutex<u64>>) -> Self {
        Block { bytes: std::array::from_fn(|n| seed.wrapping_add(n as u8)), seed, seen: seen.clone() }
    }
}

impl<const N: usize> Actor for Block<N> {
    type Msg = u8;
    fn receive(&mut self, by: u8, _: &mut Ctx<'_, Self>) -> Outcome {
        let expected: [u8; N] = std::array::from_fn(|n| self.seed.wrapping_add(n as u8));
        assert!(self.bytes == expected, "its state was changed");
        self.seed = self.seed.wrapping_add(by);
        self.bytes = std::array::from_fn(|n| self.seed.wrapping_add(n as u8));
        *lock(&self.seen) += 1;
        Ok(())
    }
}

macro_rules! of_sizes {
    ($each:ident: $($n:literal)*) => { $($each!($n);)* };
}

#[test]
fn actors_of_every_size_up_to_the_bound_keep_their_state_beside_each_other() {
    let mut world = World::sized(8 << 20);
    let seen = Arc::new(Mutex::new(0));
    let mut actors = Vec::new();
    macro_rules! spawn {
        ($n:literal) => {
            for seed in 0..3 {
                actors.push(world.spawn(Block::<$n>::new(seed, &seen)).unwrap());
                let state = seen.clone();
                let made = world.scope().spawn_from(move || Block::<$n>::new(seed, &state));
                actors.push(made.unwrap());
            }
        };
    }
    of_sizes!(spawn:
        0 1 2 3 4 5 6 7 8 9 12 15 16 17 23 24 25 31 32 33 39 40 41 47 48 49 55 56 63 64 65 71 72 79 80 87 88 95 96
        100 111 120 127 128 129 159 160 161 191 192 200 223 224 255 256 257 319 320 383 384 447 448 500 511 512 513
        640 768 896 1000 1023 1024 1025 1500 2047 2048 2049 3000 4095 4096 4097 6000 8191 8192 10000 12345 16383
        16384 20000 24576 30000 32000
    );
    for round in 0..3 {
        for actor in &actors {
            world.tell(*actor, round + 1);
        }
        world.settle();
        assert_eq!(world.panics, [""; 0]);
    }
    assert_eq!(*lock(&seen), 3 * actors.len() as u64);
    // Every other one stops, and others take their cells.
    for actor in actors.iter().step_by(2) {
        world.scope().stop(*actor);
    }
    world.settle();
    let used = world.stats().used_bytes;
    let again: Vec<_> = (0..50).map(|seed| world.spawn(Block::<33>::new(seed, &seen)).unwrap()).collect();
    for actor in actors.iter().skip(1).step_by(2).chain(&again) {
        world.tell(*actor, 1);
    }
    world.settle();
    assert_eq!((world.panics.len(), world.letters()), (0, vec![]));
    assert!(world.stats().used_bytes <= used + (64 << 10));
}

#[test]
fn the_largest_state_fits_exactly() {
    #[repr(align(128))]
    struct Largest([u8; limits::STATE_SIZE_MAX]);
    impl Actor for Largest {
        type Msg = ();
        fn receive(&mut self, (): (), _: &mut Ctx<'_, Self>) -> Outcome {
            assert!(self.0.iter().all(|byte| *byte == 7));
            Ok(())
        }
    }
    const { assert!(size_of::<Largest>() == limits::STATE_SIZE_MAX) };
    let mut world = World::sized(2 << 20);
    let all: Vec<_> = (0..5).map(|_| world.spawn(Largest([7; limits::STATE_SIZE_MAX])).unwrap()).collect();
    for actor in all {
        world.tell(actor, ());
    }
    world.settle();
    assert_eq!((world.panics.len(), world.stats().handled), (0, 5));
}

#[test]
fn states_of_every_alignment_stand_aligned() {
    macro_rules! aligned {
        ($world:ident: $($align:literal)*) => {
            $({
                #[repr(align($align))]
                struct Aligned<const N: usize>([u8; N]);
                impl<const N: usize> Actor for Aligned<N> {
                    type Msg = ();
                    fn receive(&mut self, (): (), _: &mut Ctx<'_, Self>) -> Outcome {
                        assert!((&raw const *self).addr().is_multiple_of($align));
                        assert!(self.0.iter().all(|byte| *byte == $align));
                        Ok(())
                    }
                }
                macro_rules! spawn {
                    ($n:literal) => {
                        for _ in 0..3 {
                            let actor = $world.spawn(Aligned([$align; $n])).unwrap();
                            $world.tell(actor, ());
                            let actor = $world.scope().spawn_from(|| Aligned([$align; $n])).unwrap();
                            $world.tell(actor, ());
                        }
                    };
                }
                of_sizes!(spawn: 0 1 8 17 64 100 130 1000 5000);
            })*
        };
    }
    let mut world = World::sized(4 << 20);
    aligned!(world: 1 2 4 8 16 32 64 128);
    world.settle();
    assert_eq!((world.panics.len(), world.stats().handled), (0, 8 * 9 * 6));
}

#[test]
fn an_actor_with_a_word_of_state_costs_forty_bytes() {
    struct Word(#[allow(dead_code)] u64);
    impl Actor for Word {
        type Msg = ();
        fn receive(&mut self, (): (), _: &mut Ctx<'_, Self>) -> Outcome {
            Ok(())
        }
    }
    let mut world = World::sized(16 << 20);
    let mut used = Vec::new();
    for n in 0..200_000u64 {
        world.spawn(Word(n)).unwrap();
        if n % 500 == 0 {
            // Else the starts that wait would be counted as well.
            world.settle();
        }
        if n == 50_000 || n == 150_000 {
            used.push(world.stats().used_bytes);
        }
    }
    let each = (used[1] - used[0]) as f64 / 100_000.0;
    assert!((39.5..40.5).contains(&each), "{each} bytes");
}

#[test]
fn memory_below_the_minimum_is_refused_with_the_numbers() {
    let small = crate::common::memory(1000);
    let start = small.as_ptr().addr();
    let refused = Region::from_static(small).map(drop).unwrap_err();
    let usable = 1000 - (start.next_multiple_of(limits::STATE_ALIGN_MAX) - start);
    assert_eq!(refused, RegionError::TooSmall { bytes: usable, needed: limits::REGION_MIN });
    let text = KernelError::from(refused).to_string();
    assert!(text.contains(&limits::REGION_MIN.to_string()) && text.contains(&usable.to_string()), "{text}");
}

#[test]
fn the_smallest_region_runs_a_first_actor() {
    let mut world = World::sized(limits::REGION_MIN + limits::STATE_ALIGN_MAX);
    let a = world.puppet("a");
    for round in 0..100 {
        world.tell(a, Order::Note(round));
        world.settle();
    }
    assert_eq!(world.events().len(), 101);
}

#[test]
fn a_region_of_any_start_is_aligned() {
    for skip in [0, 1, 3, 8, 64, 127] {
        let memory = crate::common::memory(64 << 10);
        let region = Region::from_static(&mut memory[skip..]).unwrap();
        let mut world = World::of(Kernel::new(region, KernelConfig::default()).unwrap());
        #[repr(align(128))]
        struct Wide(Arc<Mutex<u64>>);
        impl Actor for Wide {
            type Msg = ();
            fn receive(&mut self, (): (), _: &mut Ctx<'_, Self>) -> Outcome {
                assert!((&raw const *self).addr().is_multiple_of(128));
                *lock(&self.0) += 1;
                Ok(())
            }
        }
        let seen = Arc::new(Mutex::new(0));
        let wide = world.spawn(Wide(seen.clone())).unwrap();
        world.tell(wide, ());
        world.settle();
        assert_eq!(*lock(&seen), 1);
    }
}
