//! Any bytes, as a configuration: a file with the system's settings, the net's and a remote system's, and variables behind it.

use std::ffi::OsString;
use std::os::unix::ffi::OsStringExt as _;

use corelane_net::{EndpointConfig, NetConfig};
use corelane_shard::Sources;
use corelane_shard::config::Config;

use crate::counting::most_held;

/// What each byte may take: an entry of a table has as many in a file, at the least.
const EACH: usize = 256;
/// What the settings take by themselves.
const CAP: usize = 1 << 20;
/// Problems that are noted at most.
const PROBLEMS_MAX: usize = 100;

fn sources() -> Sources {
    Sources::new().section::<NetConfig>().section::<EndpointConfig>()
}

/// All that a configuration says.
fn said(config: &Config) -> Vec<(String, String)> {
    let settings = config.settings().map(|setting| (setting.key.to_owned(), setting.value.to_string()));
    let deployed = config.deployments().flat_map(|(path, settings)| {
        let whole = std::iter::once((path.to_owned(), String::new()));
        whole.chain(settings.into_iter().map(|setting| (setting.key.to_owned(), setting.value.to_string())))
    });
    settings.chain(deployed).collect()
}

/// Whatever a file and variables say is a configuration, which is written as one that says the same; or so many problems, each
/// on a line of its own.
pub(crate) fn check(data: &[u8]) {
    let mut parts = data.split(|byte| *byte == 0);
    let Ok(text) = str::from_utf8(parts.next().unwrap_or_default()) else { return };
    let variables = parts.map(|part| {
        let (name, value) = part.split_at(part.iter().position(|byte| *byte == b'=').unwrap_or(part.len()));
        let name = [b"CORELANE_", name].concat();
        (OsString::from_vec(name), OsString::from_vec(value.get(1..).unwrap_or_default().to_vec()))
    });
    let sources = sources().text("fuzzed.toml", text).variables(variables);
    let (read, held) = most_held(|| sources.load());
    assert!(held <= CAP + data.len() * EACH, "{held} bytes for {}", data.len());
    match read {
        Ok(config) => {
            let written = config.to_string();
            let again = self::sources().text("written.toml", &*written).load();
            let again = again.unwrap_or_else(|error| panic!("{error}\n{written}"));
            assert_eq!(said(&again), said(&config), "{written}");
            let _ = config.builder();
        }
        Err(error) => {
            assert!((1..=PROBLEMS_MAX).contains(&error.problems().len()));
            assert_eq!(error.to_string().split('\n').count(), error.problems().len(), "{error}");
        }
    }
}
