//! What hangs on a system besides its shards: names, the event stream, the receptionist, extensions, the coordinated
//! shutdown. One value that all handles share, and the hand that each shard's kernel is given to it.

use std::sync::Arc;

use corelane_kernel::{Kernel, OutOfMemory};

use crate::blocking::Pool;
use crate::coordinated::{self, Coordinator, ShutdownPhase};
use crate::deploy::Deployments;
use crate::error::StartError;
use crate::events::{EventStream, Reader};
use crate::extensions::Extensions;
use crate::handle::Handle;
use crate::receptionist::Receptionist;
use crate::registry::{Granter, Names};
use crate::shared::Shared;
use crate::steward::Desk;

pub(crate) struct Services {
    pub(crate) names: Arc<Names>,
    pub(crate) coordinator: Coordinator,
    pub(crate) extensions: Extensions,
    desk: Arc<Desk>,
}

impl Services {
    pub(crate) fn new(
        shared: &Arc<Shared>,
        phases: &[ShutdownPhase],
        pool: Pool,
    ) -> Result<Services, StartError> {
        let desk = Arc::new(Desk::new(shared.clone()));
        let extensions = Extensions::default();
        extensions.add(EventStream::new(desk.clone()));
        extensions.add(Receptionist::new(desk.clone()));
        let coordinator = Coordinator::new(coordinated::order(phases)?, pool);
        Ok(Services { names: Arc::default(), coordinator, extensions, desk })
    }

    /// Has a shard's kernel ask for names, and for what is decided by them.
    pub(crate) fn furnish(
        &self,
        kernel: &mut Kernel,
        deployments: &Arc<Deployments>,
    ) -> Result<(), OutOfMemory> {
        kernel.scope().grant_names_by(Granter::new(
            self.names.clone(),
            deployments.clone(),
            self.desk.shared().clone(),
        ))
    }

    /// For one who publishes without being a shard.
    pub(crate) fn reader(&self) -> Reader {
        Reader::new(self.desk.clone())
    }
}

impl Handle {
    /// The system's event stream.
    pub fn events(&self) -> EventStream {
        EventStream::new(self.services.desk.clone())
    }

    /// The system's receptionist.
    pub fn receptionist(&self) -> Receptionist {
        Receptionist::new(self.services.desk.clone())
    }
}
