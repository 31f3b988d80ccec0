//! Settings of layers above: their keys are read, checked and shown as the system's own are.

use std::time::Duration;

use corelane_kernel::Scope;
use corelane_shard::config::{Allowed, Config, Conflict, Origin, Section, SectionKey, Sources, Value};
use corelane_shard::{BoxError, Extension, Loading, System};

/// Settings of a layer that no crate has.
#[derive(Clone, Debug, PartialEq)]
struct Pump {
    colour: &'static str,
    name: String,
    least: u64,
    most: u64,
    room: usize,
    every: Option<Duration>,
    even: u64,
    on: bool,
}

impl Default for Pump {
    fn default() -> Pump {
        Pump {
            colour: "red",
            name: "pump".into(),
            least: 1,
            most: 5,
            room: 4096,
            every: None,
            even: 2,
            on: true,
        }
    }
}

const COLOURS: [(&str, &str); 2] = [("red", "red"), ("blue", "blue")];

fn even(text: &str) -> Result<String, String> {
    match text.trim().parse::<u64>() {
        Ok(number) if number.is_multiple_of(2) => Ok(number.to_string()),
        Ok(number) => Err(format!("{number} is odd")),
        Err(error) => Err(error.to_string()),
    }
}

impl Section for Pump {
    const KEYS: &'static [SectionKey<Pump>] = &[
        SectionKey {
            name: "pump.colour",
            allowed: Allowed::words(&["red", "blue"]),
            get: |pump| Value::Word(pump.colour),
            set: |pump, value| value.named(&COLOURS, |colour| pump.colour = colour),
        },
        SectionKey {
            name: "pump.name",
            allowed: Allowed::text(),
            get: |pump| Value::Text(pump.name.clone()),
            set: |pump, value| value.text(|name| pump.name = name),
        },
        SectionKey {
            name: "pump.room",
            allowed: Allowed::bytes(1024, 1 << 20),
            get: |pump| Value::Bytes(pump.room as u64),
            set: |pump, value| value.size(|room| pump.room = room),
        },
        SectionKey {
            name: "pump.every",
            allowed: Allowed::time(Duration::ZERO, Duration::from_secs(1)).or(&["never"]),
            get: |pump| pump.every.map_or(Value::Word("never"), Value::Time),
            set: |pump, value| {
                pump.every = None;
                value.time(|every| pump.every = Some(every));
            },
        },
        SectionKey {
            name: "pump.even",
            allowed: Allowed::parsed("an even number", even),
            get: |pump| Value::Text(pump.even.to_string()),
            set: |pump, value| value.text(|text| pump.even = text.parse().unwrap()),
        },
        SectionKey {
            name: "pump.on",
            allowed: Allowed::flag(),
            get: |pump| Value::Flag(pump.on),
            set: |pump, value| value.flag(|on| pump.on = on),
        },
        SectionKey {
            name: "pump.level.least",
            allowed: Allowed::number(0, 10),
            get: |pump| Value::Number(pump.least),
            set: |pump, value| value.number(|least| pump.least = least),
        },
        SectionKey {
            name: "pump.level.most",
            allowed: Allowed::number(0, 10),
            get: |pump| Value::Number(pump.most),
            set: |pump, value| value.number(|most| pump.most = most),
        },
    ];

    fn check(&self) -> Result<(), Conflict> {
        if self.least <= self.most {
            return Ok(());
        }
        let keys = vec!["pump.level.least", "pump.level.most"];
        Err(Conflict { keys, reason: "least is more than most".into() })
    }
}

/// What was read, as the layer's extension gets it.
struct Pumps(Option<Pump>);

impl Extension for Pumps {
    const NAME: &'static str = "pumps";
    type Shard = ();
    fn on_shard(&self, _: &mut Scope<'_>) -> Result<(), BoxError> {
        Ok(())
    }
}

fn pumps(loading: &Loading<'_>) -> Result<Pumps, BoxError> {
    Ok(Pumps(loading.settings()))
}

fn sources(text: &str) -> Sources {
    Sources::new().text("shop.toml", text).section::<Pump>()
}

fn refused(text: &str) -> String {
    sources(text).load().map(|config| panic!("{text:?} is taken as\n{config}")).unwrap_err().to_string()
}

fn origin<'c>(config: &'c Config, key: &str) -> &'c Origin {
    config.settings().find(|setting| setting.key == key).expect("a key").origin
}

#[test]
fn a_layers_keys_are_read_from_files_and_variables_and_reach_its_extension() {
    let text = concat!(
        "shards = 1\npinned = false\nregion_bytes = \"2 MiB\"\n",
        "[pump]\ncolour = \"blue\"\nname = \"big\"\nroom = \"8 KiB\"\nevery = \"5 ms\"\neven = \" 8\"\non = false\n",
        "level = { most = 9 }\n",
    );
    let config = sources(text).variables([("CORELANE_PUMP_LEVEL_LEAST", "7")]).load().unwrap();
    assert_eq!(origin(&config, "pump.level.most").to_string(), "shop.toml:11");
    assert_eq!(origin(&config, "pump.level.least").to_string(), "CORELANE_PUMP_LEVEL_LEAST");
    let shown = config.to_string();
    assert!(shown.contains("\n[pump]\ncolour = \"blue\"  # shop.toml:5\n"), "{shown}");
    assert!(shown.contains("\n[pump.level]\nleast = 7  # CORELANE_PUMP_LEVEL_LEAST\n"), "{shown}");
    let again = sources(&shown).load().unwrap();
    assert!(again.settings().zip(config.settings()).all(|(a, b)| (a.key, a.value) == (b.key, b.value)));

    let read = Pump {
        colour: "blue",
        name: "big".into(),
        least: 7,
        most: 9,
        room: 8192,
        every: Some(Duration::from_millis(5)),
        even: 8,
        on: false,
    };
    let loaded = |system: System| system.extension::<Pumps>().unwrap().0.clone();
    assert_eq!(loaded(config.clone().builder().extension(pumps).start().unwrap()), Some(read.clone()));
    // What the program says comes last, and keeps what it does not name.
    let builder = config.builder().configure::<Pump>(|pump| pump.most = 8);
    let changed = Pump { most: 8, ..read };
    assert_eq!(loaded(builder.extension(pumps).start().unwrap()), Some(changed));
}

#[test]
fn a_layer_of_which_nothing_was_read_has_what_the_program_says() {
    let builder = || System::builder().shards(1).pinned(false).region_bytes(2 << 20).extension(pumps);
    assert_eq!(builder().start().unwrap().extension::<Pumps>().unwrap().0, None);
    let system = builder().configure::<Pump>(|pump| pump.least = 3).start().unwrap();
    let told = Pump { least: 3, ..Pump::default() };
    assert_eq!(system.extension::<Pumps>().unwrap().0, Some(told));
}

#[test]
fn what_is_wrong_in_a_layers_table_names_its_place() {
    for (text, complaint) in [
        ("[pump]\ncolor = 1", "shop.toml:2: pump.color: unknown key; did you mean pump.colour?"),
        ("pmup = 1", "shop.toml:1: pmup: unknown key; did you mean pump?"),
        ("pump = 1", "shop.toml:1: pump: found 1; allowed: a table, [pump]"),
        ("[pump]\ncolour = \"bleu\"", "(did you mean \"blue\"?); allowed: \"red\", \"blue\""),
        ("[pump]\nroom = 1", "shop.toml:2: pump.room: found 1; allowed: a size from 1 KiB to 1 MiB"),
        ("[pump]\nevery = \"2 s\"", "allowed: \"never\", or a time up to 1 s"),
        ("[pump]\neven = \"3\"", "shop.toml:2: pump.even: found \"3\" (3 is odd); allowed: an even number"),
        ("[pump]\neven = 4", "shop.toml:2: pump.even: found 4; allowed: an even number"),
        ("pump.level.most = 0", "shop.toml:1: pump.level.most: least is more than most"),
        (
            "pump.level.most = 6\npump.level.least = 7",
            "shop.toml:2: pump.level.least: least is more than most",
        ),
    ] {
        let error = refused(text);
        assert!(error.contains(complaint), "{text:?}: {error}");
    }
    // Relations are looked at when each value is good for itself.
    assert_eq!(refused("pump.level.most = 0\npump.on = 1").lines().count(), 1);
    let later = sources("pump.level.most = 0").text("host.toml", "pump.level.least = 0").load();
    assert_eq!(later.unwrap().settings().last().unwrap().value, Value::Number(0));
}

#[test]
fn a_layer_that_nobody_asked_for_has_no_keys() {
    let error = Sources::new().text("shop.toml", "[pump]\non = true").load().unwrap_err();
    assert_eq!(error.to_string(), "shop.toml:1: pump: unknown key");
    let error = Sources::new().variables([("CORELANE_PUMP_ON", "true")]).load().unwrap_err();
    assert!(error.to_string().starts_with("CORELANE_PUMP_ON: unknown variable"), "{error}");
    // Asked for twice, it is there once.
    let twice = Sources::new().section::<Pump>().section::<Pump>().load().unwrap();
    assert_eq!(twice.settings().count(), Config::default().settings().count() + Pump::KEYS.len());
}

/// Wants a key that the system has.
#[derive(Clone, Debug, Default)]
struct Thief;

impl Section for Thief {
    const KEYS: &'static [SectionKey<Thief>] = &[SectionKey {
        name: "kernel.shares_urgent",
        allowed: Allowed::flag(),
        get: |_| Value::Flag(false),
        set: |_, _| {},
    }];
}

#[test]
#[should_panic(expected = "kernel.shares_urgent is the key of another setting")]
fn a_key_whose_variable_is_anothers_is_a_mistake_of_the_layer() {
    let _ = Sources::new().section::<Thief>();
}
