//! Hosts of deployments: `corelane://system@host:port`, the host in numbers or by its name.

use std::net::SocketAddr;

/// Longest name of a host.
const NAME_MAX: usize = 253;

/// What stands before a port, and the port, where that is the name of a host: letters, digits, `-`, `_` and `.`, at least one
/// letter, at most 253 bytes. An address in numbers is none. Whether anybody bears the name is found out by whoever looks it
/// up.
///
/// ```
/// use corelane_shard::split_host_name;
///
/// assert_eq!(split_host_name("db.internal:9000"), Some(("db.internal", 9000)));
/// assert_eq!(split_host_name("192.0.2.7:9000"), None);
/// assert_eq!(split_host_name("db.internal"), None);
/// ```
pub fn split_host_name(text: &str) -> Option<(&str, u16)> {
    let (name, port) = text.rsplit_once(':')?;
    let in_name = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
    let is_name = (1..=NAME_MAX).contains(&name.len())
        && name.bytes().all(in_name)
        && name.bytes().any(|byte| byte.is_ascii_alphabetic());
    let port = port.parse().ok().filter(|_| port.bytes().all(|byte| byte.is_ascii_digit()))?;
    is_name.then_some((name, port))
}

/// Whether a text names a host, `corelane://system@host:port`; in the form in which it is kept, or what is wrong with it.
/// Whether the system there is this one, and whether anybody is there, is found out by whoever spawns there.
pub(crate) fn host_named(text: &str) -> Result<String, String> {
    let rest = text.strip_prefix("corelane://").ok_or("it begins with corelane://")?;
    let (system, host) = rest.split_once('@').ok_or("the system's name stands before an @")?;
    if system.is_empty() || system.contains(|c: char| c.is_control() || "/:".contains(c)) {
        return Err("the system's name is missing, or is none".to_owned());
    }
    let (host, port) = match (host.parse::<SocketAddr>(), split_host_name(host)) {
        (Ok(address), _) => (address.to_string(), address.port()),
        (Err(_), Some((name, port))) => (format!("{name}:{port}"), port),
        (Err(_), None) => return Err("the host is a name or an address in numbers, and a port".to_owned()),
    };
    if port == 0 {
        return Err("the port is missing".to_owned());
    }
    Ok(format!("corelane://{system}@{host}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_host_is_a_system_and_a_name_or_an_address_in_numbers() {
        for text in [
            "corelane://shop@127.0.0.1:2552",
            "corelane://s@[::1]:80",
            "corelane://shop@localhost:1",
            "corelane://shop@db-2.Internal_net:65535",
        ] {
            assert_eq!(host_named(text).as_deref(), Ok(text));
        }
        for (text, wrong) in [
            ("shop@127.0.0.1:1", "corelane://"),
            ("shop@db.internal:1", "corelane://"),
            ("corelane://db.internal:1", "@"),
            ("corelane://@db.internal:1", "name"),
            ("corelane://a/b@db.internal:1", "name"),
            ("corelane://shop@db.internal", "and a port"),
            ("corelane://shop@db.internal:", "and a port"),
            ("corelane://shop@db.internal:65536", "and a port"),
            ("corelane://shop@db.internal:+1", "and a port"),
            ("corelane://shop@db internal:1", "in numbers"),
            ("corelane://shop@127.0.0.300:1", "in numbers"),
            ("corelane://shop@[::1:1", "in numbers"),
            ("corelane://shop@:1", "in numbers"),
            ("corelane://shop@127.0.0.1:0", "port is missing"),
            ("corelane://shop@db.internal:0", "port is missing"),
            ("corelane://shop@127.0.0.1:1/user", "in numbers"),
            ("corelane://shop@db.internal:1/user", "in numbers"),
        ] {
            let error = host_named(text).unwrap_err();
            assert!(error.contains(wrong), "{text}: {error}");
        }
        let longest = "a".repeat(NAME_MAX);
        assert!(host_named(&format!("corelane://shop@{longest}:1")).is_ok());
        assert!(host_named(&format!("corelane://shop@{longest}a:1")).is_err());
    }
}
