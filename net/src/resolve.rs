//! Look-up on other hosts: the URL of an actor (`url`), what is said over a link for it (`request`), what can be wrong with it
//! (`error`), and how actors and other threads ask (`context`).

mod context;
mod error;
mod request;
mod url;

pub use context::{RemoteCtx, RemoteHandle};
pub use error::RemoteLookupError;
pub(crate) use request::{Found, HOST, Lookup, NotFound};
pub(crate) use url::host_and_path;
pub use url::{RemoteHost, RemoteUrl};
