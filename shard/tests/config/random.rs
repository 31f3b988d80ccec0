//! Texts and bytes that are nearly a configuration: no panic.

use corelane_shard::config::{Builder, Config, Sources};
use proptest::prelude::*;

use crate::rig::Scratch;

/// Texts that are nearly configuration: pieces of it, put together at random.
fn nearly() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        prop::sample::select(
            &[
                "name",
                "shards",
                "cores",
                "lane_bytes",
                "kernel",
                "kernel.shares",
                "urgent",
                "deploy",
                "\"/user/a\"",
                "\"/user/*\"",
                "shard",
                "=",
                "[",
                "]",
                "[[",
                "{",
                "}",
                ",",
                ".",
                "\n",
                "\"",
                "'",
                "#",
                "1",
                "-1",
                "0x",
                "1e9",
                "\"auto\"",
                "\"64 KiB\"",
                "\"0-3\"",
                "true",
                "nan",
                "1979-05-27",
                "\u{0}",
                "\r",
                "ä",
                " ",
            ][..]
        )
        .prop_map(str::to_owned),
        "\\PC{0,3}",
    ];
    prop::collection::vec(piece, 0..40).prop_map(|pieces| pieces.concat())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2000, ..ProptestConfig::default() })]

    #[test]
    fn no_text_makes_it_panic(text in prop_oneof![any::<String>(), nearly()], value in any::<String>(), key: prop::sample::Index) {
        let keys: Vec<_> = Config::default().settings().map(|setting| setting.key).collect();
        let key = key.get(&keys).replace('.', "_").to_uppercase();
        let sources = Sources::new().text("shop.toml", text).variables([(format!("CORELANE_{key}"), value)]);
        match sources.load() {
            // What is taken can be given again.
            Ok(config) => prop_assert!(Sources::new().text("again.toml", config.to_string()).load().is_ok()),
            Err(error) => {
                prop_assert!(!error.problems().is_empty());
                prop_assert_eq!(error.to_string().lines().count(), error.problems().len());
            }
        }
    }

    #[test]
    fn no_bytes_in_a_file_make_it_panic(bytes in prop::collection::vec(any::<u8>(), 0..64)) {
        let file = Scratch::with(&bytes);
        if let Err(error) = Builder::from_file(&file.0) {
            prop_assert!(!error.problems().is_empty());
        }
    }
}
