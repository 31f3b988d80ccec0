//! Extensions that a configuration lists.

use std::sync::{Arc, Mutex};

use corelane_kernel::Scope;
use corelane_shard::config::{Builder, Sources};
use corelane_shard::{BoxError, Extension, Loading, StartError};

use crate::rig::{load, origin};

/// Two extensions that say when they are made.
struct Noted<const N: usize>;

const NAMES: [&str; 2] = ["one", "two"];

impl<const N: usize> Extension for Noted<N> {
    const NAME: &'static str = NAMES[N];
    type Shard = ();
    fn on_shard(&self, _: &mut Scope<'_>) -> Result<(), BoxError> {
        Ok(())
    }
}

/// Offers both, and loads what is listed, of which the names are given; or why it does not start.
fn loaded(builder: Builder) -> Result<Vec<&'static str>, String> {
    let made = Arc::new(Mutex::new(Vec::new()));
    fn noted<const N: usize>(
        made: &Arc<Mutex<Vec<&'static str>>>,
    ) -> impl Fn(&Loading<'_>) -> Result<Noted<N>, BoxError> + use<N> {
        let made = made.clone();
        move |_| {
            made.lock().unwrap().push(NAMES[N]);
            Ok(Noted)
        }
    }
    let builder = builder.shards(1).pinned(false).offer_extension(noted::<0>(&made));
    let started = builder.offer_extension(noted::<1>(&made)).start();
    let made = made.lock().unwrap().clone();
    match started {
        Ok(_) => Ok(made),
        Err(error) => {
            assert!(matches!(error, StartError::Extension { .. }), "{error}");
            Err(format!("{error}, after {made:?}"))
        }
    }
}

#[test]
fn listed_extensions_are_loaded_in_order_and_before_those_of_the_program() {
    let listed = |text: &str| loaded(load(text).builder());
    assert_eq!(listed(""), Ok(vec![]));
    assert_eq!(listed("extensions = []"), Ok(vec![]));
    assert_eq!(listed("extensions = [\"two\", \"one\"]"), Ok(vec!["two", "one"]));
    assert_eq!(listed("extensions = \"two, one\""), Ok(vec!["two", "one"]));
    let program = load("extensions = [\"two\"]").builder().load_extension("one");
    assert_eq!(loaded(program), Ok(vec!["two", "one"]));
    // A later list replaces the whole of an earlier one.
    let sources = Sources::new().text("shop.toml", "extensions = [\"two\"]");
    let config = sources.variables([("CORELANE_EXTENSIONS", "one")]).load().unwrap();
    assert_eq!(loaded(config.builder()), Ok(vec!["one"]));
    assert_eq!(origin(&config, "extensions"), "CORELANE_EXTENSIONS");
    let sources = Sources::new().text("shop.toml", "extensions = [\"two\"]");
    let config = sources.variables([("CORELANE_EXTENSIONS", "")]).load().unwrap();
    assert_eq!(loaded(config.builder()), Ok(vec![]));
}

#[test]
fn a_listed_extension_that_nobody_offers_is_refused_at_the_start_with_its_place() {
    let error = loaded(load("\nextensions = [\"one\", \"tow\"]").builder()).unwrap_err();
    // Nothing is loaded then, not even what comes before it.
    assert_eq!(
        error,
        "extension \"tow\": shop.toml:2: no extension of that name is offered; there are [\"one\", \"two\"], after []"
    );
    let twice = load("extensions = [\"one\"]").builder().load_extension("one");
    assert_eq!(
        loaded(twice).unwrap_err(),
        "extension \"one\": it is loaded already, after [\"one\", \"one\"]"
    );
}
