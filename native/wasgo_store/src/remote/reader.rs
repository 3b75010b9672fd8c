//! A connection to a server that answers queries outside transactions, and that may be handed from thread to thread.

use std::sync::Arc;

use super::entries::Run;
use super::link::Patience;
use super::stream::Stream;
use super::words;
use crate::rows::RowSink;
use crate::sqlite::{Interrupt, Watch};
use crate::{Limits, ParamsRef, Server, StoreError};

pub(crate) struct Reader {
    stream: Stream,
    interrupt: Arc<Interrupt>,
    /// The query that is read in pieces, if one is.
    run: Option<Run>,
}

impl Reader {
    pub(crate) fn open(server: &Server, interrupt: Arc<Interrupt>) -> Result<Self, StoreError> {
        Ok(Self { stream: Stream::new(server)?, interrupt, run: None })
    }

    pub(crate) fn interrupt(&self) -> &Arc<Interrupt> {
        &self.interrupt
    }

    /// Runs a query to its end.
    pub(crate) fn query(
        &mut self,
        sql: &str,
        params: ParamsRef<'_>,
        limits: Limits,
        watch: Watch,
        sink: &mut dyn RowSink,
    ) -> Result<(), StoreError> {
        self.watched(watch, |stream, patience| {
            words::refuse_control(sql)?;
            let mut run = Run::new(stream.cursor(sql, params, false, patience)?);
            run.read_whole(&mut stream.link, limits, patience, sink)
        })
    }

    /// Begins a query that [`Self::fetch`] goes on with.
    pub(crate) fn begin(&mut self, sql: &str, params: ParamsRef<'_>, watch: Watch) -> Result<(), StoreError> {
        self.end();
        let run = self.watched(watch, |stream, patience| {
            words::refuse_control(sql)?;
            stream.cursor(sql, params, false, patience)
        })?;
        self.run = Some(Run::new(run));
        Ok(())
    }

    /// Hands the next rows of what was begun to `sink`; false when there are no more.
    pub(crate) fn fetch(&mut self, limits: Limits, watch: Watch, sink: &mut dyn RowSink) -> Result<bool, StoreError> {
        let Some(mut run) = self.run.take() else { return Ok(false) };
        let more = self.watched(watch, |stream, patience| run.read_piece(&mut stream.link, limits, patience, sink))?;
        if more {
            self.run = Some(run);
        }
        Ok(more)
    }

    /// Ends what was begun: the rest of its rows is not read.
    pub(crate) fn end(&mut self) {
        if self.run.take().is_some() {
            self.stream.link.drop_connection();
            self.stream.forget();
        }
    }

    fn watched<T>(
        &mut self,
        watch: Watch,
        work: impl FnOnce(&mut Stream, &Patience<'_>) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        super::admit(&watch)?;
        self.interrupt.begin();
        let result = work(&mut self.stream, &Patience { watch: &watch, interrupt: &self.interrupt });
        match &result {
            Ok(_) => {}
            // Nothing but the rest of its answer is in the way.
            Err(error) if super::is_of_the_request(error) => self.stream.link.drop_connection(),
            Err(_) => self.stream.end(&self.interrupt),
        }
        self.interrupt.end();
        result
    }
}
