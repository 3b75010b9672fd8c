//! How much a program may store in the directories that it may write to.
//!
//! What is there is measured when the program starts, and everything it writes counts as if all of it were new. That is more than is really there
//! after overwriting and removing; so when the count comes to the limit the directories are measured anew, on a thread that may wait, and only if
//! they are full indeed is the program refused.

use std::fs;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use super::guest::Errno;

/// What a file, directory or link counts for beside its bytes: a file system's block. It bounds their number.
const ENTRY: u64 = 4_096;

/// Measuring takes no more than this part of the time: a program that stays close to its limit waits for it.
const SHARE: u32 = 10;

/// The longest that it waits.
const LONGEST_WAIT: Duration = Duration::from_millis(500);

/// Entries of a directory that are measured at most: one with more is full.
const MAX_ENTRIES: u64 = 1_000_000;

/// What is stored and may be.
pub(crate) struct Quota {
    limit: u64,
    used: u64,
    roots: Vec<PathBuf>,
    /// When the directories may be measured again.
    again: Instant,
}

impl Quota {
    /// For directories of the host. What is there already counts.
    pub(crate) fn new(limit: u64, roots: Vec<PathBuf>) -> Self {
        let mut quota = Self { limit, used: 0, roots, again: Instant::now() };
        quota.used = quota.measure();
        quota
    }

    /// Counts bytes that are about to be written; none is refused as long as all fit.
    ///
    /// # Errors
    /// WASI's number for a full device: emulators of containers know no number of an exhausted quota.
    pub(crate) async fn take(&mut self, bytes: u64) -> Result<(), Errno> {
        if self.fits(bytes) {
            return Ok(());
        }
        tokio::time::sleep_until(self.again.into()).await;
        let roots = self.roots.clone();
        let began = Instant::now();
        let measured = tokio::task::spawn_blocking(move || measure(&roots)).await;
        self.used = measured.map_err(|_| Errno::Io)?;
        let now = Instant::now();
        self.again = now + (SHARE * now.duration_since(began)).min(LONGEST_WAIT);
        if self.fits(bytes) { Ok(()) } else { Err(Errno::NoSpace) }
    }

    /// Counts a new file, directory or link.
    ///
    /// # Errors
    /// As of [`Self::take`].
    pub(crate) async fn take_entry(&mut self) -> Result<(), Errno> {
        self.take(ENTRY).await
    }

    fn fits(&mut self, bytes: u64) -> bool {
        match self.used.checked_add(bytes) {
            Some(used) if used <= self.limit => {
                self.used = used;
                true
            }
            _ => false,
        }
    }

    fn measure(&self) -> u64 {
        measure(&self.roots)
    }
}

/// Bytes of everything beneath the directories. Links are not followed.
fn measure(roots: &[PathBuf]) -> u64 {
    let mut waiting: Vec<PathBuf> = roots.to_vec();
    let (mut bytes, mut entries) = (0_u64, 0);
    while let Some(directory) = waiting.pop() {
        // What can't be read has no bytes that the program could have written.
        for entry in fs::read_dir(directory).into_iter().flatten().flatten() {
            let Ok(about) = entry.metadata() else { continue };
            entries += 1;
            if entries > MAX_ENTRIES {
                return u64::MAX;
            }
            bytes = bytes.saturating_add(ENTRY).saturating_add(if about.is_file() { about.len() } else { 0 });
            if about.is_dir() {
                waiting.push(entry.path());
            }
        }
    }
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn everything_beneath_counts_and_links_lead_nowhere() {
        let folder = std::env::temp_dir().join(format!("wasgo-quota-{}", std::process::id()));
        fs::create_dir_all(folder.join("a/b")).unwrap();
        fs::write(folder.join("a/b/file"), [1; 1_000]).unwrap();
        #[cfg(unix)]
        std::os::unix::fs::symlink("/", folder.join("a/root")).unwrap();
        let links = if cfg!(unix) { 1 } else { 0 };
        assert_eq!(measure(std::slice::from_ref(&folder)), 1_000 + (3 + links) * ENTRY);
        fs::remove_dir_all(&folder).unwrap();
    }
}
