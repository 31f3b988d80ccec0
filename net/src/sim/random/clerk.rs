//! Who takes down what is dictated in a random cluster: an actor of each shard whose messages have no addresses in them, so that
//! they go out by the shortest way, many of them behind one head.

use corelane_kernel::{Actor, Ctx, Outcome};

use super::books::Books;
use super::message::{Slip, body};
use super::rules::{Act, Id};

pub(super) struct Clerk {
    books: Books,
    id: Id,
}

impl Clerk {
    pub(super) fn new(books: &Books, id: Id) -> Clerk {
        Clerk { books: books.clone(), id }
    }
}

impl Actor for Clerk {
    type Msg = Slip;

    fn receive(&mut self, Slip { token, bytes }: Slip, _: &mut Ctx<'_, Self>) -> Outcome {
        self.books.tally(|tally| tally.slips += 1);
        self.books.see(Act::Heard { by: self.id, from: token.from, to: token.to, no: token.no });
        if bytes != body(token.no, bytes.len()) {
            self.books.break_rule("a message is what was told", format!("{token:?}"));
        }
        Ok(())
    }
}

impl Drop for Clerk {
    fn drop(&mut self) {
        self.books.drop_one(self.id);
    }
}
