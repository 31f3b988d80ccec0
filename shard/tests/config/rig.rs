//! Texts that are loaded, or refused; and files that are removed again.

use std::fs;
use std::path::PathBuf;
use std::sync::atomic::{AtomicUsize, Ordering};

use corelane_shard::config::{Config, Sources, Value};

pub(crate) fn load(text: &str) -> Config {
    Sources::new().text("shop.toml", text).load().unwrap_or_else(|error| panic!("{error}\n{text}"))
}

/// What is wrong with a file, one problem a line.
pub(crate) fn refused(text: &str) -> String {
    match Sources::new().text("shop.toml", text).load() {
        Ok(config) => panic!("{text:?} is taken as\n{config}"),
        Err(error) => error.to_string(),
    }
}

pub(crate) fn refused_variable(name: &str, value: &str) -> String {
    Sources::new().variables([(name, value)]).load().unwrap_err().to_string()
}

pub(crate) fn value(config: &Config, key: &str) -> Value {
    config.settings().find(|setting| setting.key == key).expect("a key").value
}

pub(crate) fn origin(config: &Config, key: &str) -> String {
    config.settings().find(|setting| setting.key == key).expect("a key").origin.to_string()
}

/// A file that is removed with the value.
pub(crate) struct Scratch(pub(crate) PathBuf);

impl Scratch {
    pub(crate) fn with(bytes: &[u8]) -> Scratch {
        static NUMBER: AtomicUsize = AtomicUsize::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let path = std::env::temp_dir().join(format!("corelane-config-{}-{number}.toml", std::process::id()));
        fs::write(&path, bytes).expect("a written file");
        Scratch(path)
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.0);
    }
}
