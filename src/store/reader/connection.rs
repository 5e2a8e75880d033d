//! The read-only connections.

use sqlx::SqlitePool;

use crate::store::{OpenError, StoreConfig};

/// Asks the store. Cheap to clone; every clone shares the same few connections.
#[derive(Debug, Clone)]
pub struct Reader {
    pub(super) pool: SqlitePool,
}

impl Reader {
    /// Opens the database of a store for reading.
    ///
    /// # Errors
    /// When there is none, it is another program's, was written by a newer Kilter, or cannot be read.
    pub async fn open(config: &StoreConfig) -> Result<Self, OpenError> {
        let _ = config;
        todo!()
    }
}
