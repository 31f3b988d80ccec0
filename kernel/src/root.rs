//! The root: parent of all top-level actors. It handles no message, for nobody can make one.

use core::convert::Infallible;

use crate::actor::Actor;
use crate::context::Ctx;
use crate::failure::Outcome;

pub(crate) struct Root;

impl Actor for Root {
    type Msg = Infallible;

    fn receive(&mut self, msg: Infallible, _: &mut Ctx<'_, Self>) -> Outcome {
        match msg {}
    }
}
