//! `corelane config`: every setting of a system with its value and where the value comes from.
//!
//! Reads the files that are named and the variables of the environment, as a program that asks for them does, and decides
//! nothing itself. What it prints is a configuration file again; programs read `--json`.

use std::path::PathBuf;
use std::process::ExitCode;

use corelane_net::{EndpointConfig, NetConfig};
use corelane_shard::config::{Config, ConfigError, Origin, Setting, Sources, Value};
use serde_json::{Map, json};

use super::process;

/// Arguments of `corelane config`.
#[derive(Clone, Debug, Default, clap::Args)]
pub(crate) struct ConfigArgs {
    /// Read this TOML file; of several, the later wins, and CORELANE_* variables win over all
    #[arg(long, value_name = "FILE")]
    file: Vec<PathBuf>,

    /// Print one JSON object instead of a configuration file
    #[arg(long)]
    json: bool,
}

/// Runs the command: prints the effective configuration to standard output. Exit code 2 if a file or a variable is
/// refused, with one line for each problem on standard error; 1 if the output cannot be written.
pub(crate) fn run(args: &ConfigArgs) -> ExitCode {
    let sources = args.file.iter().fold(known().environment(), Sources::file);
    let text = match render(&sources, args.json) {
        Ok(text) => text,
        Err(error) => {
            for problem in error.problems() {
                eprintln!("error: {problem}");
            }
            return ExitCode::from(process::REFUSED);
        }
    };
    process::print(&text)
}

/// Everything that can be set: of the system, and of the layers above that come with it.
fn known() -> Sources {
    Sources::new().section::<NetConfig>().section::<EndpointConfig>()
}

fn render(sources: &Sources, json: bool) -> Result<String, ConfigError> {
    let config = sources.load()?;
    Ok(if json { format!("{:#}\n", as_json(&config)) } else { config.to_string() })
}

fn as_json(config: &Config) -> serde_json::Value {
    let by_key = |settings: Vec<Setting<'_>>| -> Map<String, serde_json::Value> {
        settings.iter().map(|setting| (setting.key.to_owned(), setting_as_json(setting))).collect()
    };
    let deployments: Map<_, _> = config
        .deployments()
        .map(|(path, settings)| (path.to_owned(), serde_json::Value::Object(by_key(settings))))
        .collect();
    json!({ "settings": by_key(config.settings().collect()), "deploy": deployments })
}

/// Value and origin; sizes and times as numbers with their unit beside them.
fn setting_as_json(setting: &Setting<'_>) -> serde_json::Value {
    let (value, unit) = match &setting.value {
        Value::Word(word) => (json!(word), None),
        Value::Text(text) => (json!(text), None),
        Value::Flag(flag) => (json!(flag), None),
        Value::Number(number) => (json!(number), None),
        Value::Bytes(bytes) => (json!(bytes), Some("bytes")),
        // A setting's times are bounded, and far from what a number cannot hold.
        Value::Time(time) => (json!(u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)), Some("ns")),
        Value::Cores(cores) => (json!(cores), None),
        Value::Names(names) => (json!(names), None),
        Value::Shards(first, last) => (json!([first, last]), None),
        other => (json!(other.to_string()), None),
    };
    let mut object = Map::new();
    object.insert("value".to_owned(), value);
    if let Some(unit) = unit {
        object.insert("unit".to_owned(), json!(unit));
    }
    match setting.origin {
        Origin::File { file, line } => {
            object.insert("origin".to_owned(), json!("file"));
            object.insert("file".to_owned(), json!(**file));
            object.insert("line".to_owned(), json!(line));
        }
        Origin::Environment { variable } => {
            object.insert("origin".to_owned(), json!("environment"));
            object.insert("variable".to_owned(), json!(variable));
        }
        other => {
            object.insert("origin".to_owned(), json!(other.to_string()));
        }
    }
    object.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shop() -> Sources {
        let text = "idle = \"frugal\"\nregion_bytes = \"64 MiB\"\n[deploy.\"/user/orders\"]\nshard = 1\n";
        known().text("shop.toml", text).variables([("CORELANE_SHUTDOWN_WITHIN", "1.5 s")])
    }

    #[test]
    fn the_page_is_a_configuration_file_with_the_origin_of_every_value() {
        let page = render(&shop(), false).expect("a page");
        for line in [
            "name = \"corelane\"            # default\n",
            "idle = \"frugal\"              # shop.toml:1\n",
            "region_bytes = \"64 MiB\"      # shop.toml:2\n",
            "shutdown_within = \"1500 ms\"  # CORELANE_SHUTDOWN_WITHIN\n",
            "\n[kernel]\nbudget = 512             # default\n",
            "\n[kernel.shares]\nurgent = 512     # default\n",
            "\n[net]\nbackend = \"auto\"        # default\n",
            "\n[remote.link.liveness]\nthreshold = 10",
            "\n[deploy.\"/user/orders\"]\nshard = 1  # shop.toml:4\n",
        ] {
            assert!(page.contains(line), "{line:?} is not in\n{page}");
        }
        assert!(
            page.lines().all(|line| line.is_empty() || line.starts_with('[') || line.contains("  # ")),
            "{page}"
        );
    }

    #[test]
    fn json() {
        let text = render(&shop(), true).expect("an object");
        let object: serde_json::Value = serde_json::from_str(&text).expect("JSON");
        let settings = &object["settings"];
        assert_eq!(settings["name"], json!({ "value": "corelane", "origin": "default" }));
        assert_eq!(
            settings["region_bytes"],
            json!({ "value": 64 << 20, "unit": "bytes", "origin": "file", "file": "shop.toml", "line": 2 })
        );
        assert_eq!(
            settings["shutdown_within"],
            json!({
                "value": 1_500_000_000, "unit": "ns", "origin": "environment", "variable": "CORELANE_SHUTDOWN_WITHIN"
            })
        );
        assert_eq!(settings["kernel.shares.bulk"]["value"], json!(128));
        let shard = json!({ "value": 1, "origin": "file", "file": "shop.toml", "line": 4 });
        assert_eq!(object["deploy"], json!({ "/user/orders": { "shard": shard } }));
    }
}
