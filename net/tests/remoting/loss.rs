//! A network that loses some of what arrives: one packet of so many at random, or all. By the kernel's packet filter, in one
//! table with one rule: a random number, if it is zero, drops the packet.

use crate::netlink::{APPEND, CREATE, Netlink, attribute, request, unanswered};

const BATCH_BEGIN: u16 = 16;
const BATCH_END: u16 = 17;
const FILTER: u16 = 10;
const NEW_TABLE: u16 = FILTER << 8;
const DELETE_TABLE: u16 = FILTER << 8 | 2;
const NEW_CHAIN: u16 = FILTER << 8 | 3;
const NEW_RULE: u16 = FILTER << 8 | 6;

/// Of an attribute that consists of others.
const NESTED: u16 = 0x8000;

/// What is asked of the packet filter of a process's network.
pub(crate) struct Filter(Netlink);

impl Filter {
    pub(crate) fn open() -> Result<Filter, String> {
        Ok(Filter(Netlink::open(libc::NETLINK_NETFILTER)?))
    }

    /// Of what arrives, one packet in so many is dropped.
    pub(crate) fn lose(&self, one_in: u32) -> Result<(), String> {
        let random =
            expression("numgen", &[number(1, REGISTER), number(2, one_in), number(3, 1), number(4, 0)]);
        // The comparison is with four bytes of zeros, so that their order does not matter.
        let zero = nested(3, &[attribute(1, &[0; 4])]);
        let is_zero = expression("cmp", &[number(1, REGISTER), number(2, 0), zero]);
        let verdict = nested(2, &[nested(2, &[number(1, 0)])]);
        let drop = expression("immediate", &[number(1, 0), verdict]);
        // Whatever arrives for a process here, before others who may look at it.
        let hook = nested(4, &[number(1, 1), number(2, 0)]);
        self.ask(&[
            (NEW_TABLE, CREATE, vec![text(1, "loss")]),
            (NEW_CHAIN, CREATE, vec![text(1, "loss"), text(3, "in"), hook, text(7, "filter")]),
            (
                NEW_RULE,
                CREATE | APPEND,
                vec![text(1, "loss"), text(2, "in"), nested(4, &[random, is_zero, drop])],
            ),
        ])
    }

    /// Nothing is, from now on.
    pub(crate) fn lose_nothing(&self) -> Result<(), String> {
        self.ask(&[(DELETE_TABLE, 0, vec![text(1, "loss")])])
    }

    /// Asks for all or nothing of it.
    fn ask(&self, requests: &[(u16, u16, Vec<Vec<u8>>)]) -> Result<(), String> {
        let begin = [0, 0, 0, FILTER as u8];
        let mut all = vec![unanswered(BATCH_BEGIN, 0, &begin)];
        for (kind, flags, attributes) in requests {
            let family = [libc::NFPROTO_IPV4 as u8, 0, 0, 0];
            all.push(request(*kind, *flags, &[&family[..], &attributes.concat()].concat()));
        }
        all.push(unanswered(BATCH_END, 0, &begin));
        self.0.ask("a packet filter", &all, requests.len())
    }
}

/// Where the random number is kept for the comparison.
const REGISTER: u32 = 1;

/// Numbers are big-endian here.
fn number(kind: u16, number: u32) -> Vec<u8> {
    attribute(kind, &number.to_be_bytes())
}

fn text(kind: u16, text: &str) -> Vec<u8> {
    attribute(kind, &[text.as_bytes(), &[0]].concat())
}

fn nested(kind: u16, attributes: &[Vec<u8>]) -> Vec<u8> {
    attribute(kind | NESTED, &attributes.concat())
}

/// A step of a rule, in the list of its steps.
fn expression(name: &str, data: &[Vec<u8>]) -> Vec<u8> {
    nested(1, &[text(1, name), nested(2, data)])
}
