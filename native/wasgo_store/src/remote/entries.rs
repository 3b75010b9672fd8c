//! The answer to a query, line by line, as it comes.

use super::link::{Answer, Link, Patience};
use super::proto::{self, Entry, Held};
use crate::rows::{Columns, Row, RowSink};
use crate::{Limits, StoreError, Value, ValueRef};

/// What a line may have beside what the values in it take.
const LINE_ROOM: usize = 64 * 1024;

/// What the names of the columns may take, as a line.
const MAX_HEAD_BYTES: usize = 4 * 1024 * 1024;

/// Lines that are no row's: more of them in one answer are not an answer.
const MAX_OTHER_LINES: usize = 64;

/// What comes next of an answer.
pub(super) enum Line<'e> {
    Is(&'e [u8]),
    /// It is longer than was to be read.
    TooLong,
    End,
}

pub(super) struct Entries {
    answer: Answer,
    buffer: Vec<u8>,
    /// Where the next line begins.
    start: usize,
    /// No line ends before here.
    scanned: usize,
    ended: bool,
}

impl Entries {
    pub(super) fn new(answer: Answer) -> Self {
        Self { answer, buffer: Vec::new(), start: 0, scanned: 0, ended: false }
    }

    /// The next line, which is to have no more than about `max` bytes.
    pub(super) fn line(
        &mut self,
        link: &mut Link,
        max: usize,
        patience: &Patience<'_>,
    ) -> Result<Line<'_>, StoreError> {
        let line = loop {
            if let Some(at) = memchr::memchr(b'\n', &self.buffer[self.scanned..]) {
                let end = self.scanned + at;
                let line = self.start..end;
                self.start = end + 1;
                self.scanned = self.start;
                break line;
            }
            self.scanned = self.buffer.len();
            let begun = self.buffer.len() - self.start;
            if self.ended {
                if begun == 0 {
                    return Ok(Line::End);
                }
                let line = self.start..self.buffer.len();
                self.start = line.end;
                break line;
            }
            if begun > max {
                return Ok(Line::TooLong);
            }
            match link.read(&mut self.answer, patience)? {
                None => self.ended = true,
                Some(piece) => {
                    self.buffer.drain(..self.start);
                    self.scanned -= self.start;
                    self.start = 0;
                    self.buffer.extend_from_slice(&piece);
                }
            }
        };
        Ok(Line::Is(&self.buffer[line]))
    }
}

/// A query whose rows come.
pub(super) struct Run {
    entries: Entries,
    columns: Option<Vec<String>>,
    others: usize,
    finished: bool,
}

/// What is still wanted of a query's rows.
struct Wanted {
    limits: Limits,
    rows: usize,
    bytes: usize,
    /// Whether more rows than wanted are an error, and not left for later.
    whole: bool,
}

impl Run {
    pub(super) fn new(entries: Entries) -> Self {
        Self { entries, columns: None, others: 0, finished: false }
    }

    /// Hands all of the rows on.
    pub(super) fn read_whole(
        &mut self,
        link: &mut Link,
        limits: Limits,
        patience: &Patience<'_>,
        sink: &mut dyn RowSink,
    ) -> Result<(), StoreError> {
        self.read(link, Wanted { limits, rows: 0, bytes: 0, whole: true }, patience, sink).map(drop)
    }

    /// Hands the next rows on, as many as the limits have room for, and at least one if there is one. False when there are no more.
    pub(super) fn read_piece(
        &mut self,
        link: &mut Link,
        limits: Limits,
        patience: &Patience<'_>,
        sink: &mut dyn RowSink,
    ) -> Result<bool, StoreError> {
        if let Some(columns) = &self.columns {
            sink.columns(&Columns::named(columns))?;
        }
        self.read(link, Wanted { limits, rows: 0, bytes: 0, whole: false }, patience, sink)
    }

    fn read(
        &mut self,
        link: &mut Link,
        mut wanted: Wanted,
        patience: &Patience<'_>,
        sink: &mut dyn RowSink,
    ) -> Result<bool, StoreError> {
        while wanted.whole || wanted.has_room() {
            let left = wanted.limits.max_bytes.saturating_sub(wanted.bytes);
            // A value takes less than twice its bytes in JSON, unless it is mostly control characters.
            let room =
                if self.columns.is_some() { left.saturating_mul(2).saturating_add(LINE_ROOM) } else { MAX_HEAD_BYTES };
            let line = match self.entries.line(link, room, patience)? {
                Line::Is(line) => line,
                Line::End if self.finished => return Ok(false),
                Line::End => {
                    let (server, problem) = (link.server().url.clone(), "it ends in its midst".to_owned());
                    return Err(StoreError::Disconnected { server, problem });
                }
                Line::TooLong if self.columns.is_some() => {
                    return Err(StoreError::ByteLimit { max: wanted.limits.max_bytes });
                }
                Line::TooLong => return Err(link.bad(format!("a line of more than {room} bytes"))),
            };
            let entry: Entry<'_> = serde_json::from_slice(line).map_err(|error| link.bad(error.to_string()))?;
            match (&*entry.kind, &self.columns) {
                ("row", Some(columns)) if !self.finished => {
                    if entry.row.len() != columns.len() {
                        let problem = format!("a row of {} values for {} columns", entry.row.len(), columns.len());
                        return Err(link.bad(problem));
                    }
                    let held = entry.row.into_iter().map(proto::Cell::hold).collect::<Result<Vec<_>, _>>();
                    wanted.take(&held.map_err(|problem| link.bad(problem))?, sink)?;
                    continue;
                }
                ("step_begin", None) => {
                    let names = entry.cols.into_iter().map(|column| column.name.unwrap_or_default().into_owned());
                    let names = self.columns.insert(names.collect());
                    sink.columns(&Columns::named(names))?;
                }
                ("step_end", Some(_)) => self.finished = true,
                ("step_error" | "error", _) => {
                    let fault = entry.error.ok_or_else(|| link.bad("an error that is none"))?;
                    return Err(proto::error(fault));
                }
                ("row" | "step_begin" | "step_end", _) => return Err(link.bad("its parts are out of order")),
                // Of a later version: to be passed over.
                _ => {}
            }
            self.others += 1;
            if self.others > MAX_OTHER_LINES {
                return Err(link.bad("more than one answer"));
            }
        }
        Ok(true)
    }
}

impl Wanted {
    fn has_room(&self) -> bool {
        let left = self.limits.max_bytes.saturating_sub(self.bytes);
        // Unless a row like those before would not fit any more.
        self.rows == 0 || (self.rows < self.limits.max_rows && self.bytes / self.rows <= left)
    }

    fn take(&mut self, held: &[Held<'_>], sink: &mut dyn RowSink) -> Result<(), StoreError> {
        if self.whole && self.rows >= self.limits.max_rows {
            return Err(StoreError::RowLimit { max: self.limits.max_rows });
        }
        let payload: usize = held.iter().map(Held::payload_bytes).sum();
        self.bytes = self.bytes.saturating_add(held.len() * size_of::<Value>() + payload);
        if self.bytes > self.limits.max_bytes {
            return Err(StoreError::ByteLimit { max: self.limits.max_bytes });
        }
        self.rows += 1;
        let values: Vec<ValueRef<'_>> = held.iter().map(Held::as_ref).collect();
        sink.row(&Row::of(&values))
    }
}
