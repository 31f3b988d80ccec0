//! Two networks of their own, joined by a cable (a veth pair) that can be pulled out at either end.
//!
//! A test that wants one is run once more in a process with a network of its own; the far end's network belongs to a second
//! process, which does there what it is told over its standard input. Nothing has a name outside the two networks, and both
//! are gone with their processes, so tests run beside each other, and one that is killed leaves nothing behind.
//!
//! The kernel's netlink is spoken as it is: that takes no tool beside `unshare` and `nsenter`, which every Linux has. Where
//! networks may not be made, the test says so on standard error and passes.

use std::io::{BufRead, BufReader, Write};
use std::net::Ipv4Addr;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::Mutex;
use std::sync::mpsc::{Receiver, channel};

use crate::common::{LONG, next};
use crate::loss::Filter;
use crate::netlink::{CREATE, EXCLUSIVE, Netlink, attribute, request};

/// Set in a process whose network is the near one.
const NEAR: &str = "CORELANE_TEST_CABLE_NEAR";
/// Set in the process to which the far network belongs.
const FAR: &str = "CORELANE_TEST_CABLE_FAR";

/// What such a process says.
const DONE: &str = "cable: done";
const REFUSED: &str = "cable: refused: ";
const LEFT_OUT: &str = "cable: left out: ";
const OBEYED: &str = "cable: obeyed";

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum End {
    Near,
    Far,
}

impl End {
    pub(crate) const fn address(self) -> Ipv4Addr {
        match self {
            End::Near => Ipv4Addr::new(10, 0, 0, 1),
            End::Far => Ipv4Addr::new(10, 0, 0, 2),
        }
    }
}

/// See the module. Exists in the near network only.
pub(crate) struct Cable {
    near: Network,
    far: Mutex<Far>,
    pid: u32,
}

/// The process of the far network.
struct Far {
    child: Child,
    stdin: ChildStdin,
    answers: Receiver<String>,
}

impl Far {
    fn obey(&mut self, order: &str) -> Result<(), String> {
        writeln!(self.stdin, "{order}").unwrap();
        match next(&self.answers).strip_prefix(REFUSED) {
            Some(refused) => Err(refused.to_owned()),
            None => Ok(()),
        }
    }
}

impl Drop for Far {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Cable {
    /// Runs a test that is named after where this is written, in a network of its own with a cable to another. It must begin
    /// with this and do nothing else.
    pub(crate) fn with(test: impl FnOnce(&Cable)) {
        if std::env::var_os(NEAR).is_none() {
            return run_again(&name_of(&test));
        }
        match Cable::lay() {
            Ok(cable) => {
                test(&cable);
                println!("\n{DONE}");
            }
            Err(refused) => println!("\n{REFUSED}{refused}"),
        }
    }

    /// A cable from this process's network to one that is new, with both ends plugged in.
    fn lay() -> Result<Cable, String> {
        let mut command = Command::new("unshare");
        command.arg("--net").arg(std::env::current_exe().unwrap());
        let mut child = again(&mut command, "cable::far_network_of_another_test", FAR)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .map_err(|error| format!("unshare: {error}"))?;
        let (said, answers) = channel();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        std::thread::spawn(move || {
            let is_answer = |line: &String| line == OBEYED || line.starts_with(REFUSED);
            let lines = lines.map_while(Result::ok).filter(is_answer);
            lines.for_each(|line| _ = said.send(line));
        });
        let (pid, stdin) = (child.id(), child.stdin.take().unwrap());
        let mut far = Far { child, stdin, answers };
        if far.answers.recv_timeout(LONG).is_err() {
            return Err("unshare --net: no second network".into());
        }
        let near = Network::open()?;
        near.lay(pid)?;
        near.begin(End::Near)?;
        far.obey("begin")?;
        Ok(Cable { near, far: Mutex::new(far), pid })
    }

    /// Pulls the cable out at these ends.
    pub(crate) fn cut(&self, ends: &[End]) {
        self.set(ends, false);
    }

    pub(crate) fn mend(&self, ends: &[End]) {
        self.set(ends, true);
    }

    fn set(&self, ends: &[End], up: bool) {
        for end in ends {
            match end {
                End::Near => self.near.set(CABLE, up).unwrap(),
                End::Far => self.far.lock().unwrap().obey(if up { "up" } else { "down" }).unwrap(),
            }
        }
    }

    /// Has an end lose one packet in so many of those that arrive there, or none from now on.
    ///
    /// # Errors
    /// Why it cannot.
    pub(crate) fn lose(&self, end: End, one_in: Option<u32>) -> Result<(), String> {
        match end {
            End::Near => self.near.lose(one_in),
            End::Far => self.far.lock().unwrap().obey(&format!("lose {}", one_in.unwrap_or_default())),
        }
    }

    /// Says that a part of the test is left out, and why.
    pub(crate) fn leave_out(&self, why: &str) {
        println!("\n{LEFT_OUT}{why}");
    }

    /// A command that runs a program in the far network.
    pub(crate) fn far_command(&self, program: &std::path::Path) -> Command {
        let mut command = Command::new("nsenter");
        command.arg(format!("--net=/proc/{}/ns/net", self.pid)).arg(program);
        command
    }

    /// Whether what a connection of this end has sent, or would have, was due again and got no answer.
    pub(crate) fn has_sent_in_vain(&self, end: End) -> bool {
        let process = match end {
            End::Near => "self".to_owned(),
            End::Far => self.pid.to_string(),
        };
        let table = std::fs::read_to_string(format!("/proc/{process}/net/tcp")).unwrap();
        table.lines().skip(1).any(|row| {
            // Its number, both addresses, its state (01: it stands), what is queued, its timer, how often it has sent the same
            // again, its owner, and how often it has tried to send at all.
            let row: Vec<_> = row.split_whitespace().collect();
            row[3] == "01" && (row[6] != "00000000" || row[8] != "0")
        })
    }
}

/// Where the module's name of this stands, without the crate's.
fn name_of<T>(_: &T) -> String {
    let name = std::any::type_name::<T>();
    let name = name.split_once("::").unwrap().1;
    name.trim_end_matches("::{{closure}}").to_owned()
}

/// Has a command, which has the path of this program behind it, run a single test.
fn again<'a>(command: &'a mut Command, test: &str, variable: &str) -> &'a mut Command {
    command.args(["--exact", test, "--nocapture", "--test-threads=1"]).env(variable, "1")
}

/// Runs a test in a network of its own, by the rights that there are.
fn run_again(test: &str) {
    let mut refused = Vec::new();
    for rights in [&["--net"][..], &["--user", "--map-root-user", "--net"]] {
        let mut command = Command::new("unshare");
        command.args(rights).arg(std::env::current_exe().unwrap());
        let output = match again(&mut command, test, NEAR).stdin(Stdio::null()).output() {
            Ok(output) => output,
            Err(error) => {
                refused.push(format!("unshare: {error}"));
                break;
            }
        };
        let (said, complained) =
            (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        let has_begun = !said.trim().is_empty();
        if let Some(line) = said.lines().find_map(|line| line.strip_prefix(REFUSED)) {
            refused.push(line.to_owned());
        } else if has_begun {
            let done = output.status.success() && said.lines().any(|line| line == DONE);
            assert!(done, "in a network of its own: {}\n{said}\n{complained}", output.status);
            let left_out = said.lines().filter_map(|line| line.strip_prefix(LEFT_OUT));
            left_out.for_each(|why| skipped(test, why));
            // Seen with `--nocapture`.
            print!("{said}");
            return;
        } else {
            refused.push(complained.trim().to_owned());
        }
    }
    skipped(test, &format!("no two networks here: {}", refused.join("; ")));
}

/// Says what is left out, and why. Not with `println!`, which is shown of tests that fail only.
fn skipped(what: &str, why: &str) {
    let _ = writeln!(std::io::stderr(), "SKIPPED {what}: {why}");
}

/// What the process of the far network does: obeys until its standard input ends.
#[test]
fn far_network_of_another_test() {
    if std::env::var_os(FAR).is_none() {
        return;
    }
    println!("\n{OBEYED}");
    let network = Network::open().unwrap();
    for line in std::io::stdin().lines() {
        let obeyed = match line.unwrap().split(' ').collect::<Vec<_>>()[..] {
            ["begin"] => network.begin(End::Far),
            ["up"] => network.set(CABLE, true),
            ["down"] => network.set(CABLE, false),
            ["lose", one_in] => network.lose(one_in.parse().ok().filter(|one_in| *one_in > 0)),
            _ => panic!("no such order"),
        };
        match obeyed {
            Ok(()) => println!("{OBEYED}"),
            Err(refused) => println!("{REFUSED}{refused}"),
        }
    }
}

/// What is asked of a process's network: its interfaces (`rtnetlink(7)`), and what it loses.
struct Network {
    links: Netlink,
    filter: Result<Filter, String>,
}

/// The numbers of the interfaces in each network.
const LOOPBACK: u32 = 1;
const CABLE: u32 = 2;

const NEW_LINK: u16 = 16;
const NEW_ADDRESS: u16 = 20;
/// Attributes of a link: what it is, and in whose network.
const LINK_INFO: u16 = 18;
const INFO_KIND: u16 = 1;
const INFO_DATA: u16 = 2;
const VETH_PEER: u16 = 1;
const NETWORK_OF: u16 = 19;
/// Attributes of an address.
const ADDRESS: u16 = 1;
const LOCAL: u16 = 2;

impl Network {
    fn open() -> Result<Network, String> {
        Ok(Network { links: Netlink::open(libc::NETLINK_ROUTE)?, filter: Filter::open() })
    }

    /// Makes the cable, its other end in the network of a process.
    fn lay(&self, far: u32) -> Result<(), String> {
        let peer = [link(CABLE, 0), attribute(NETWORK_OF, &far.to_ne_bytes())].concat();
        let data = attribute(INFO_DATA, &attribute(VETH_PEER, &peer));
        let info = attribute(LINK_INFO, &[attribute(INFO_KIND, b"veth"), data].concat());
        let cable = [link(CABLE, 0), info].concat();
        self.links.ask("a cable", &[request(NEW_LINK, CREATE | EXCLUSIVE, &cable)], 1)
    }

    /// Gives an end of the cable its address, and plugs it in.
    fn begin(&self, end: End) -> Result<(), String> {
        let bytes = end.address().octets();
        let head = [&[libc::AF_INET as u8, 24, 0, 0][..], &CABLE.to_ne_bytes()].concat();
        let address = [head, attribute(LOCAL, &bytes), attribute(ADDRESS, &bytes)].concat();
        self.links.ask("an address", &[request(NEW_ADDRESS, CREATE | EXCLUSIVE, &address)], 1)?;
        self.set(LOOPBACK, true)?;
        self.set(CABLE, true)
    }

    fn set(&self, interface: u32, up: bool) -> Result<(), String> {
        let flags = if up { libc::IFF_UP as u32 } else { 0 };
        self.links.ask("up or down", &[request(NEW_LINK, 0, &link(interface, flags))], 1)
    }

    /// Loses one packet in so many of those that arrive, or none.
    fn lose(&self, one_in: Option<u32>) -> Result<(), String> {
        let filter = self.filter.as_ref().map_err(String::clone)?;
        match one_in {
            Some(one_in) => filter.lose(one_in),
            None => filter.lose_nothing(),
        }
    }
}

/// The beginning of a request about an interface. Of its flags only the one for up is meant.
fn link(interface: u32, flags: u32) -> Vec<u8> {
    [[0; 4], interface.to_ne_bytes(), flags.to_ne_bytes(), (libc::IFF_UP as u32).to_ne_bytes()].concat()
}
