//! The consensus library's own tests of a store.

use super::super::log::Log;
use super::super::machine::Machine;
use super::super::types::Types;
use openraft::StorageError;
use openraft::testing::log::{StoreBuilder, Suite};
use tempfile::TempDir;

struct Builder;

impl StoreBuilder<Types, Log, Machine, TempDir> for Builder {
    async fn build(&self) -> Result<(TempDir, Log, Machine), StorageError<Types>> {
        let folder = tempfile::tempdir().unwrap();
        let log = Log::open(&folder.path().join("ledger.redb"), Box::new(|e| panic!("{e}"))).unwrap();
        let machine = Machine::new(log.clone());
        Ok((folder, log, machine))
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_store_does_what_the_consensus_library_expects_of_it() {
    Suite::test_all(Builder).await.unwrap();
}
