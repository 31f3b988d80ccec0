//! The life of a cell, and what moves it along.
//!
//! ```text
//!              1               2                  3
//!    free ──────────▶ starting ─────────▶ ready ◀──────▶ suspended / backlog
//!      ▲                 │                  │                 │
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
//! 4. [`Kernel::fail`] (`failing.rs`), [`Kernel::stop_cell`] (`stopping.rs`).
//! 5. [`Kernel::close`] (`closing.rs`), step by step, each of which survives a panic of user code.
//! 6. [`Kernel::run_mourning`] (`closing.rs`). A cell that nobody watches skips this.
//! 7. The cell is given back with its next generation.

mod children;
mod closing;
mod failing;
mod starting;
mod stopping;

pub(crate) use closing::Closing;
pub(crate) use starting::Birth;
