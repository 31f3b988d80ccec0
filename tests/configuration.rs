//! The sample of a configuration, `examples/corelane.toml`, and the keys that there are, of the system and of the layers above.

#![cfg(all(feature = "config", feature = "net"))]

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use corelane::net::{EndpointConfig, NetConfig};
use corelane::shard::config::{Config, Origin, Sources};

fn sources() -> Sources {
    Sources::new().section::<NetConfig>().section::<EndpointConfig>()
}

fn sample() -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/corelane.toml");
    fs::read_to_string(path).expect("the sample")
}

fn load(text: &str) -> Config {
    sources().text("corelane.toml", text).load().unwrap_or_else(|error| panic!("{error}\n{text}"))
}

#[test]
fn the_sample_names_every_key_with_its_default() {
    let (sample, default) = (load(&sample()), sources().load().expect("the defaults"));
    assert!(sample.settings().count() > 15);
    for (set, default) in sample.settings().zip(default.settings()) {
        assert_eq!((set.key, &set.value), (default.key, &default.value));
        assert!(matches!(set.origin, Origin::File { .. }), "the sample does not name {}", set.key);
    }
    assert_eq!(sample.deployments().count(), 0);
}

#[test]
fn the_deployment_that_the_sample_shows_has_every_key() {
    let text = sample();
    let (_, shown) = text.split_once("\n# [deploy").expect("a deployment in the sample");
    let shown: Vec<_> = shown.lines().map(|line| line.strip_prefix("# ").unwrap_or(line)).collect();
    let config = load(&format!("[deploy{}", shown.join("\n")));
    let (path, settings) = config.deployments().next().expect("a deployment");
    let keys: Vec<_> = settings.iter().map(|setting| setting.key).collect();
    assert_eq!((path, keys), ("/user/orders", Config::deployment_keys().collect()));
}

#[test]
fn no_two_keys_have_one_variable_and_keys_of_a_table_stand_together() {
    let config = sources().load().expect("the defaults");
    let keys: Vec<_> = config.settings().map(|setting| setting.key).collect();
    let variables: BTreeSet<_> = keys.iter().map(|key| key.replace('.', "_")).collect();
    assert_eq!(variables.len(), keys.len());
    // A table that began twice would be no TOML.
    let again = sources().text("again.toml", config.to_string()).load();
    again.unwrap_or_else(|error| panic!("{error}"));
}

#[test]
fn defaults_are_allowed() {
    let config = sources().load().expect("the defaults");
    for setting in config.settings() {
        let again = load(&format!("{} = {}", setting.key, setting.value));
        let again = again.settings().find(|other| other.key == setting.key).expect("a key").value;
        assert_eq!(again, setting.value, "{}", setting.key);
    }
}
