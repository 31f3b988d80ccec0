//! The life of a cell, and what moves it along.
//!
//! ```text
//!              1               2                  3
//!    free ──────────▶ starting ─────────▶ ready ◀──────▶ suspended / backlog
//!      ▲                 │ ▲                │                 │
//!      │                 │ │ 11             │ 8               │ 8
//!      │               8 │ └─────────── restarting ◀─── 10 ── failed: 9 decides
//!      │                 │                  │                 │
//!      │                 │ 4                │ 4               │ 4
//!      │                 ▼                  ▼                 ▼
//!      │               ┌───────────── stopping ─────────────────┐
//!      │ 7             │ children go first, leaves before roots │
//!      │               └───────────────────┬────────────────────┘
//!      │                                   │ 5: hook, drop state, drop what waited
//!      └──────────── dead ◀────────────────┘
//!             6: its end is passed in its queue; watchers are told
//! ```
//!
//! 1. [`Kernel::spawn_cell`] (`starting.rs`): a cell, its place in the tree, and a start signal.
//! 2. [`Kernel::run_start`] (`starting.rs`): the factory if there is one, then `started`.
//! 3. `suspend`, `resume` (`backlog.rs`); a ready cell with duties has gate `Duty`.
//! 4. [`Kernel::stop_cell`] (`stopping.rs`): asked for, or decided.
//! 5. [`Kernel::close`] (`closing.rs`), step by step, each of which survives a panic of user code.
//! 6. [`Kernel::run_mourning`] (`closing.rs`). A cell that nobody watches skips this.
//! 7. The cell is given back with its next generation.
//! 8. [`Kernel::fail`] (`failing.rs`): an error or a panic of its code, at any time that it has a state or makes one.
//! 9. [`Kernel::judge`] (`deciding.rs`): the parent decides at once. Resumed, it is where it was before.
//! 10. `restart` (`restarting.rs`): the hooks of the old instance, whose state is dropped then, and all that it had set up.
//! 11. `make_again` (`restarting.rs`): the factory, then `restarted`; after a back-off, if there is one.
//! 12. `restart_survivors` (`restarting.rs`): children that the old instance did not stop are restarted after it.
//!
//! A child whose parent lives on another shard is suspended while 9 is under way there; see `afar.rs`.

mod afar;
mod children;
mod closing;
mod deciding;
mod failing;
mod restarting;
mod starting;
mod stopping;

pub(crate) use closing::Closing;
pub(crate) use restarting::Row;
pub(crate) use starting::Birth;
