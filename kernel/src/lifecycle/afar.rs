//! What a family on several shards, or hosts, comes to: orders that are given and obeyed, reports that are made and heard.
//!
//! Whatever is done with an outpost is noted at its cell first (its gate, an order in its bond) and then said. So what
//! cannot be said for want of room is said later, and all that was wanted meanwhile is said as its sum. What a child has to
//! report is noted the same way. One who fails is suspended, with all below it, until its parent's decision has come: its
//! step is [`Step::Undecided`] for so long.

use core::time::Duration;

use super::Closing;
use crate::address::{Address, Gate, Place};
use crate::behavior::Role;
use crate::bond::{Bond, ChildNews, ChildOrder, Due, End, Order, Report};
use crate::error::SpawnError;
use crate::failure::Failure;
use crate::kernel::Kernel;
use crate::pool::Handle;
use crate::region::NONE;
use crate::supervise::Step;
use crate::uplink::Said;

impl Kernel {
    pub(crate) fn bond_of(&self, cell: u32) -> Option<Handle<Bond>> {
        let bond = self.sides.get(self.side_of(cell)?).bond;
        bond.is_some().then_some(bond)
    }

    /// Whether a cell is that of a child whose parent lives elsewhere: no child of the root, though it stands among them.
    pub(crate) fn is_from_afar(&self, cell: u32) -> bool {
        self.bond_of(cell).is_some_and(|bond| self.bonds.get(bond).end == End::Child)
    }

    /// The same, where that is another shard of this realm.
    pub(crate) fn is_from_another_shard(&self, cell: u32) -> bool {
        self.bond_of(cell).is_some_and(|bond| {
            let bond = self.bonds.get(bond);
            bond.end == End::Child && bond.place.same_realm(self.place)
        })
    }

    pub(super) fn is_held_from_afar(&self, cell: u32) -> bool {
        self.bond_of(cell).is_some_and(|bond| {
            let bond = self.bonds.get(bond);
            bond.end == End::Child && bond.held
        })
    }

    /// The address under which a child is known: for an outpost that of whom it stands for, once it is known.
    pub(crate) fn known_address(&self, cell: u32) -> Option<Address> {
        if self.role(cell) != Role::Outpost {
            return Some(self.address_of(cell));
        }
        let child = self.bonds.get(self.bond_of(cell)?).other;
        (child != Address::NOBODY).then_some(child)
    }

    /// What stands for a child elsewhere among the children of a cell.
    pub(crate) fn outpost_of(&self, parent: u32, child: Address) -> Option<u32> {
        let mut found = None;
        self.each_child(parent, |cell| {
            if self.role(cell) == Role::Outpost && self.known_address(cell) == Some(child) {
                found = Some(cell);
            }
        });
        found
    }

    /// Forgets a cell's bond, with the cell.
    pub(crate) fn untie(&mut self, cell: u32) {
        let (Some(side), Some(bond)) = (self.side_of(cell), self.bond_of(cell)) else { return };
        self.sides.get_mut(side).bond = Handle::NONE;
        let bond = self.bonds.remove(bond);
        self.holding -= u32::from(bond.end == End::Child && bond.held);
    }

    // --- what is said --------------------------------------------------------------------------------------------

    /// Says what there is to say to the other end of a cell's bond; what finds no room, in a later turn.
    pub(crate) fn speak(&mut self, cell: u32) {
        if !self.try_speak(cell) {
            self.bonds_wait = true;
        }
    }

    fn try_speak(&mut self, cell: u32) -> bool {
        let Some(bond) = self.bond_of(cell) else { return true };
        match self.bonds.get(bond).end {
            End::Parent => self.give_orders(cell, bond),
            End::Child => self.make_report(cell, bond),
        }
    }

    fn give_orders(&mut self, cell: u32, handle: Handle<Bond>) -> bool {
        let bond = self.bonds.get_mut(handle);
        let (child, said, held) = (bond.other, bond.said, bond.held);
        if child == Address::NOBODY {
            return true;
        }
        let gate = self.memory.header(cell).identity.get().gate();
        if gate == Gate::Stopping {
            // Comes before all that it was to do besides.
            let sent = said || self.order(cell, handle, &ChildOrder::Stop);
            self.bonds.get_mut(handle).said = sent;
            return sent;
        }
        if let Some(what) = bond.order.take()
            && !self.order(cell, handle, &what)
        {
            self.bonds.get_mut(handle).order = Some(what);
            return false;
        }
        let hold = gate == Gate::Suspended;
        if hold != held {
            if !self.order(cell, handle, &ChildOrder::Hold(hold)) {
                return false;
            }
            self.bonds.get_mut(handle).held = hold;
        }
        true
    }

    /// Gives one order. Says whether nothing is left to say about it.
    fn order(&mut self, cell: u32, handle: Handle<Bond>, what: &ChildOrder) -> bool {
        let Bond { other: child, round, .. } = *self.bonds.get(handle);
        let said = self.order_away(self.address_of(cell), child, round, what);
        self.settle_bond(handle, said)
    }

    /// Notes what became of something that was to be said. Says whether nothing is left to say about it.
    fn settle_bond(&mut self, handle: Handle<Bond>, said: Said) -> bool {
        if said == Said::Never {
            self.bonds.get_mut(handle).due = Due::End;
            self.bonds_wait = true;
        }
        said != Said::Later
    }

    fn make_report(&mut self, cell: u32, handle: Handle<Bond>) -> bool {
        let bond = self.bonds.get(handle);
        let (outpost, round) = (bond.other, bond.round);
        if bond.said {
            return true;
        }
        let news = match self.is_undecided(cell) {
            true => ChildNews::Failed(self.failure_of(cell)),
            false => ChildNews::Born,
        };
        let report = Report { child: self.address_of(cell), round, news };
        let said = self.report_away(outpost, report);
        let sent = self.settle_bond(handle, said);
        self.bonds.get_mut(handle).said = sent;
        sent
    }

    /// Reports the end of a child whose parent lives elsewhere; of others there is nothing to report. Says whether that is
    /// done.
    pub(super) fn report_end(&mut self, cell: u32) -> bool {
        let Some(bond) = self.bond_of(cell) else { return true };
        let bond = self.bonds.get(bond);
        let (end, outpost) = (bond.end, bond.other);
        let report = Report { child: self.address_of(cell), round: bond.round, news: ChildNews::Ended };
        end == End::Parent || self.report_away(outpost, report) != Said::Later
    }

    /// Reports that a child could not be.
    pub(crate) fn refuse_birth(&mut self, outpost: Address, error: SpawnError) {
        let report = Report { child: Address::NOBODY, round: 0, news: ChildNews::Unborn(error) };
        if self.report_away(outpost, report) == Said::Later {
            self.bonds_wait = true;
            if self.unborn.push((outpost, error)).is_err() {
                // The region is used up, the lane full, and many were refused before. It is counted as lost, and its
                // outpost ends with this kernel at the latest.
                self.letters.count_one(crate::letters::DeadReason::OutOfMemory);
            }
        }
    }

    /// Says and does what was left about bonds. Walks the whole tree: this is for when the region is used up, after panics,
    /// and when a kernel is gone.
    #[cold]
    pub(crate) fn run_bonds(&mut self) {
        self.bonds_wait = false;
        self.refuse_watches();
        self.repeat_stops();
        while let Some((outpost, error)) = self.unborn.pop() {
            self.refuse_birth(outpost, error);
            if self.bonds_wait {
                break;
            }
        }
        let root = self.root;
        let mut at = self.first_child(root);
        while at != NONE {
            let next = self.after(at, root);
            let bond = self.bond_of(at).map(|bond| self.bonds.get(bond));
            at = match bond.map(|bond| (bond.end, bond.due)) {
                Some((end, due)) if due != Due::Nothing => {
                    // A panic of what follows leads back here.
                    self.bonds_wait = true;
                    self.attend(at);
                    // An end may have closed more than this cell.
                    if end == End::Parent { self.first_child(root) } else { next }
                }
                Some(_) => {
                    self.speak(at);
                    next
                }
                None => next,
            };
        }
    }

    /// The kernel at a place is gone: so are the children there, and so are the parents of those who came from there.
    pub(crate) fn lose_bonds_to(&mut self, place: Place) {
        if self.bonds.is_empty() {
            return;
        }
        let root = self.root;
        let mut at = self.first_child(root);
        while at != NONE {
            if let Some(bond) = self.bond_of(at)
                && self.bonds.get(bond).place == place
            {
                self.bonds.get_mut(bond).due = Due::End;
                self.bonds_wait = true;
            }
            at = self.after(at, root);
        }
    }

    // --- the parent's end ----------------------------------------------------------------------------------------

    /// A child elsewhere was born, or not; it failed, or ended.
    pub(crate) fn hear_report(&mut self, to: Address, report: Report) {
        if !self.is_alive(to) || self.role(to.index) != Role::Outpost {
            // An outpost goes last; but should one be gone, whoever it stood for has no parent.
            return self.request_stop(report.child);
        }
        let cell = to.index;
        let Some(handle) = self.bond_of(cell) else { return };
        let ending = self.memory.header(cell).identity.get().gate() == Gate::Stopping;
        let bond = self.bonds.get_mut(handle);
        let first = bond.other == Address::NOBODY;
        let timely = report.round == bond.round;
        if first {
            bond.other = report.child;
        }
        let mut born = Ok(report.child);
        match report.news {
            ChildNews::Born => {}
            ChildNews::Failed(failure) => {
                if timely && !ending {
                    (bond.due, bond.undecided) = (Due::Judgement, true);
                    self.keep_failure(cell, failure);
                }
            }
            ChildNews::Ended => bond.due = Due::End,
            // It was given up, and came all the same before that was heard.
            ChildNews::Unborn(_) if !first => return,
            ChildNews::Unborn(error) => {
                bond.due = Due::End;
                born = Err(error);
            }
        }
        if first {
            self.speak(cell);
            // Should the owner's code panic, the rest is done in the next turn.
            self.bonds_wait |= self.bonds.get(handle).due != Due::Nothing;
            self.tell_outcome(cell, (!ending).then_some(born));
        }
        self.attend(cell);
    }

    /// Does what is due about a bond.
    fn attend(&mut self, cell: u32) {
        let Some(bond) = self.bond_of(cell) else { return };
        let bond = self.bonds.get_mut(bond);
        match (core::mem::replace(&mut bond.due, Due::Nothing), bond.end) {
            (Due::Nothing, _) => {}
            (Due::Judgement, _) => {
                let failure = self.failure_of(cell);
                self.forget_failure(cell);
                self.judge(cell, failure);
            }
            (Due::End, End::Parent) => self.end_outpost(cell),
            (Due::End, End::Child) => self.request_stop(self.address_of(cell)),
        }
    }

    /// Whom an outpost stands for is gone: so is the outpost.
    fn end_outpost(&mut self, cell: u32) {
        let Some(handle) = self.bond_of(cell) else { return };
        let ending = self.memory.header(cell).identity.get().gate() == Gate::Stopping;
        if self.bonds.get(handle).other == Address::NOBODY {
            // Nothing was heard of a child: its kernel went first. Should the owner's code panic, the next turn goes on.
            self.bonds.get_mut(handle).due = Due::End;
            self.bonds_wait = true;
            self.tell_outcome(cell, (!ending).then_some(Err(SpawnError::Unreachable)));
            self.bonds.get_mut(handle).due = Due::Nothing;
        }
        self.close(cell, Closing::State);
    }

    /// Has whom an outpost stands for begin anew. One who is not known yet is about to be made anyway.
    pub(super) fn order_restart(&mut self, cell: u32, wait: Duration, failure: Failure) {
        let (Some(side), Some(bond)) = (self.side_of(cell), self.bond_of(cell)) else { return };
        let bond = self.bonds.get_mut(bond);
        if bond.other == Address::NOBODY {
            return;
        }
        self.sides.get_mut(side).ward.until = self.now + wait;
        bond.round += 1;
        bond.undecided = false;
        bond.order = Some(ChildOrder::Restart { wait, failure });
        self.speak(cell);
    }

    /// Has whom an outpost stands for go on, if it waits for a decision.
    pub(super) fn order_resume(&mut self, cell: u32) {
        let Some(bond) = self.bond_of(cell) else { return };
        let bond = self.bonds.get_mut(bond);
        if core::mem::replace(&mut bond.undecided, false) {
            bond.order = Some(ChildOrder::Resume);
            self.speak(cell);
        }
    }

    // --- the child's end -----------------------------------------------------------------------------------------

    /// Whether a cell waits for a decision from elsewhere.
    pub(super) fn is_undecided(&self, cell: u32) -> bool {
        self.step_of(cell) == Some(Step::Undecided)
    }

    /// Leaves it to the parent elsewhere what becomes of a failed child: until that has come, its messages wait, and those of
    /// all below it.
    pub(super) fn refer(&mut self, cell: u32, failure: Failure) {
        let (Some(side), Some(bond)) = (self.side_of(cell), self.bond_of(cell)) else { return };
        if !self.leads_to(self.bonds.get(bond).other) {
            return self.stop_failed(cell, failure);
        }
        self.keep_failure(cell, failure);
        self.sides.get_mut(side).ward.step = Some(Step::Undecided);
        self.suspend_gate(cell);
        self.hold_all_below(cell);
        self.bonds.get_mut(bond).said = false;
        self.speak(cell);
    }

    /// A parent's order has come.
    pub(crate) fn obey(&mut self, cell: u32, order: Order) {
        let Some(bond) = self.bond_of(cell) else { return };
        if self.memory.header(cell).identity.get().gate() == Gate::Stopping {
            return;
        }
        match order.what {
            ChildOrder::Restart { wait, failure } => {
                self.bonds.get_mut(bond).round = order.round;
                if self.leave_undecided(cell) {
                    self.restart_failed(cell, wait, failure);
                } else if self.lives_below(cell) {
                    self.restart_along(cell, false, wait, &failure);
                }
            }
            ChildOrder::Resume if self.leave_undecided(cell) => self.resume_family(cell),
            ChildOrder::Resume => {}
            ChildOrder::Hold(hold) => self.hold_from_afar(cell, hold),
            ChildOrder::Stop => self.stop_cell(cell),
        }
    }

    fn leave_undecided(&mut self, cell: u32) -> bool {
        let undecided = self.is_undecided(cell);
        if undecided && let Some(side) = self.side_of(cell) {
            self.sides.get_mut(side).ward.step = None;
        }
        undecided
    }

    /// One whose failure was referred goes on, and so do those below it.
    fn resume_family(&mut self, cell: u32) {
        if !self.is_made(cell) {
            let failure = self.failure_of(cell);
            return self.restart_failed(cell, Duration::ZERO, failure);
        }
        self.go_on(cell);
        self.reopen(cell);
        self.resume_below(cell);
    }

    /// Those below one that goes on do as well whose failures were escalated to it, or to somebody in between.
    pub(super) fn resume_below(&mut self, cell: u32) {
        let mut at = self.first_child(cell);
        while at != NONE {
            let next = self.after(at, cell);
            if self.role(at) == Role::Outpost {
                self.order_resume(at);
            } else if self.is_yet_to_be_made(at) {
                let failure = self.failure_of(at);
                self.restart_along(at, true, Duration::ZERO, &failure);
            } else if self.still_holds(at) {
                self.go_on(at);
            }
            at = next;
        }
    }

    /// Whether a new instance is there whose first hook failed: what it was to restart below it waits still.
    fn still_holds(&self, cell: u32) -> bool {
        self.side_of(cell).is_some_and(|side| {
            let ward = &self.sides.get(side).ward;
            ward.holds && ward.step.is_none()
        })
    }

    /// Something above the parent keeps all below it suspended, or no longer.
    fn hold_from_afar(&mut self, cell: u32, hold: bool) {
        let Some(bond) = self.bond_of(cell) else { return };
        if core::mem::replace(&mut self.bonds.get_mut(bond).held, hold) == hold {
            return;
        }
        if hold {
            self.holding += 1;
            self.suspend_gate(cell);
            self.suspend_below(cell);
        } else {
            self.holding -= 1;
            self.reopen(cell);
            self.reopen_below(cell);
        }
    }
}
