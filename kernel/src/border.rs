//! The border: where addresses inside messages are translated, on their way out of the process and into it.
//!
//! An address is 16 bytes of which the realm means something in this process only. What serde writes of it is a
//! [`FarAddress`], which names the host instead. Who carries messages between hosts knows both: it implements [`Border`],
//! and encodes and decodes [`within`] it. Elsewhere an address can be neither written nor read, and saying so is an error of
//! serde's. So an [`ActorRef`] stands in a message like any other field, in whatever format, and an address that is read has
//! been checked.
//!
//! serde has no place for such a context, so it is the thread's for as long as the closure runs. This is the only module that
//! needs `std`.

use core::cell::RefCell;
use core::fmt;
use std::rc::Rc;
use std::thread_local;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de, ser};

use crate::address::{ActorRef, Address};
use crate::census::{Admitted, MessageKind, RawAddress};

/// A message type that may leave the process: its name and version there, and how it is written.
///
/// An [`ActorRef<M>`] travels inside messages only if `M` may leave the process itself, so the compiler sees to it that
/// whoever gets hold of one on another host can use it.
///
/// The form is a type that the crate which carries messages knows how to use: [`Fixed`], [`Compact`], or one that implements
/// its `Codec`. Numbers, `bool`, `()` and `String` are messages that have a wire form already.
pub trait Wire: Sized + Send + 'static {
    /// Its name everywhere and for ever, whatever the type is called in the code: `"shop.order.Placed"`. Two types with
    /// one name are an error when the second is registered.
    const NAME: &'static str;

    /// Counts the changes of what is written.
    const VERSION: u16 = 1;

    /// The oldest version whose reader can read what this one writes. Below [`Wire::VERSION`] where fields were only
    /// appended, which older readers leave alone.
    const READABLE_SINCE: u16 = Self::VERSION;

    /// How it is written: [`Fixed`] copies the bytes of types whose bytes are their meaning, [`Compact`] writes what serde
    /// describes, and another type is one's own way, with its `Codec`.
    type Form;
}

/// The form of types whose bytes in memory are their meaning. See `corelane-net`.
#[derive(Debug)]
pub enum Fixed {}

/// The form of types that serde describes. See `corelane-net`.
#[derive(Debug)]
pub enum Compact {}

macro_rules! plain {
    ($($type:ty as $name:literal in $form:ty;)*) => {$(
        impl Wire for $type {
            const NAME: &'static str = $name;
            type Form = $form;
        }
    )*};
}

plain! {
    u8 as "u8" in Fixed;
    u16 as "u16" in Fixed;
    u32 as "u32" in Fixed;
    u64 as "u64" in Fixed;
    u128 as "u128" in Fixed;
    i8 as "i8" in Fixed;
    i16 as "i16" in Fixed;
    i32 as "i32" in Fixed;
    i64 as "i64" in Fixed;
    i128 as "i128" in Fixed;
    f32 as "f32" in Fixed;
    f64 as "f64" in Fixed;
    bool as "bool" in Fixed;
    () as "()" in Fixed;
    std::string::String as "string" in Compact;
}

/// An address as it stands in a message between two hosts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum FarAddress {
    /// No actor's.
    Nobody,
    /// An actor's of the host that sends the message.
    Sender(RawAddress),
    /// An actor's of the host that receives it.
    Receiver(RawAddress),
    /// An actor's of some other host.
    Other {
        /// The host.
        node: u64,
        /// Which of its lives.
        incarnation: u64,
        /// The address there.
        raw: RawAddress,
    },
}

/// Translates addresses, for one link.
pub trait Border {
    /// How an address is written; `None` where it means nothing to the receiver.
    fn leave(&self, address: Address) -> Option<FarAddress>;

    /// The address that is meant, checked against the type of its messages; `None` where there is no such one.
    fn enter(&self, far: FarAddress, kind: MessageKind) -> Option<Admitted>;

    /// The address that is meant, where the type of its messages does not matter.
    fn enter_address(&self, far: FarAddress) -> Option<Address>;
}

thread_local! {
    static BORDER: RefCell<Option<Rc<dyn Border>>> = const { RefCell::new(None) };
}

/// Runs `code`, in which addresses inside messages are translated by this border. What was before is again when it ends,
/// also with a panic.
pub fn within<R>(border: Rc<dyn Border>, code: impl FnOnce() -> R) -> R {
    struct Restore(Option<Rc<dyn Border>>);
    impl Drop for Restore {
        fn drop(&mut self) {
            BORDER.set(self.0.take());
        }
    }
    let _restore = Restore(BORDER.replace(Some(border)));
    code()
}

/// Why an address is not translated.
struct Untranslated(&'static str);

impl fmt::Display for Untranslated {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }
}

const NO_BORDER: Untranslated =
    Untranslated("an actor's address is only written and read where messages are carried");
const NOT_SENT: Untranslated = Untranslated("an actor's address means nothing to the receiver");
const NOT_THERE: Untranslated = Untranslated("no actor has this address and takes such messages");

fn at_border<R>(
    pass: impl FnOnce(&dyn Border) -> Option<R>,
    refused: Untranslated,
) -> Result<R, Untranslated> {
    BORDER.with_borrow(|border| match border {
        Some(border) => pass(&**border).ok_or(refused),
        None => Err(NO_BORDER),
    })
}

impl FarAddress {
    /// How the border of this thread writes an address; `None` outside of [`within`] too.
    pub fn of(address: Address) -> Option<FarAddress> {
        at_border(|border| border.leave(address), NOT_SENT).ok()
    }

    /// The reference that is meant, at the border of this thread.
    pub fn actor<M: Wire>(self) -> Option<ActorRef<M>> {
        at_border(|border| border.enter(self, MessageKind::of::<M>()), NOT_THERE).ok()?.typed()
    }
}

impl Serialize for Address {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let far = at_border(|border| border.leave(*self), NOT_SENT).map_err(ser::Error::custom)?;
        far.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Address {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Address, D::Error> {
        let far = FarAddress::deserialize(deserializer)?;
        at_border(|border| border.enter_address(far), NOT_THERE).map_err(de::Error::custom)
    }
}

impl<M: Wire> Serialize for ActorRef<M> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.address().serialize(serializer)
    }
}

impl<'de, M: Wire> Deserialize<'de> for ActorRef<M> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<ActorRef<M>, D::Error> {
        let far = FarAddress::deserialize(deserializer)?;
        let admitted = at_border(|border| border.enter(far, MessageKind::of::<M>()), NOT_THERE);
        let admitted = admitted.map_err(de::Error::custom)?;
        admitted.typed().ok_or_else(|| de::Error::custom(NOT_THERE))
    }
}
