//! Signals: what overtakes messages. Each is read here, and what it means is done where its subject is.
//!
//! One of the modules where `unsafe` is allowed: it takes payloads out of records.

#![allow(unsafe_code)]

use crate::address::{Address, Place};
use crate::bond::{Order, Report};
use crate::failure::Failure;
use crate::kernel::Kernel;
use crate::record::{Head, Kind, Payload};
use crate::region::NONE;
use crate::watch::Ended;

impl Kernel {
    /// Handles a signal for an actor of this kernel.
    ///
    /// # Safety
    /// The payload is what this kind of signal carries.
    pub(crate) unsafe fn handle_signal(&mut self, head: Head, payload: *const u64) {
        let target = Address { identity: head.identity, index: head.index, place: self.place };
        match head.kind {
            Kind::Start if self.is_alive(target) => self.run_start(head.index),
            Kind::Stop if self.is_actor(target) => self.stop_cell(head.index),
            Kind::Start | Kind::Stop => {}
            Kind::Watch => {
                // SAFETY: the payload is the watcher's address.
                let watcher = unsafe { Payload::<Address>::take(payload) };
                self.watch_from_afar(watcher, target);
            }
            Kind::Unwatch => {
                // SAFETY: the payload is the watcher's address.
                let watcher = unsafe { Payload::<Address>::take(payload) };
                self.unwatch_from_afar(watcher, target);
            }
            Kind::Terminated => {
                // SAFETY: the payload says who ended and why.
                let ended = unsafe { Payload::<Ended>::take(payload) };
                if self.is_alive(target) {
                    self.hear_terminated(head.index, ended);
                }
            }
            Kind::Fail => {
                // SAFETY: the payload says why.
                let failure = unsafe { Payload::<Failure>::take(payload) };
                if self.is_actor(target) {
                    self.hear_failure(head.index, failure);
                }
            }
            Kind::Order => {
                // SAFETY: the payload is the order.
                let order = unsafe { Payload::<Order>::take(payload) };
                if self.is_actor(target) {
                    self.obey(head.index, order);
                }
            }
            Kind::Report => {
                // SAFETY: the payload is the report.
                let report = unsafe { Payload::<Report>::take(payload) };
                self.hear_report(target, report);
            }
            Kind::Farewell => {
                // SAFETY: the payload is the place of the kernel that is gone.
                let place = unsafe { Payload::<Place>::take(payload) };
                self.hear_farewell(place);
                self.lose_bonds_to(place);
            }
            _ => debug_assert!(false, "a record of kind {:?} among signals", head.kind),
        }
        self.set_running(NONE);
    }
}
