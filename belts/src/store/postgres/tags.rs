//! What runs are about: the tags that a batch of commits adds.

use sqlx::postgres::PgBindIterExt as _;

use super::{
    batched::Placed, connections::Loan, database::Database, error::Fault, sql::Parameters,
    text::to_column,
};

/// Whether any of these commits adds tags.
pub(super) fn has_tags(commits: &[Placed<'_>]) -> bool {
    commits.iter().any(|placed| !placed.commit.tags.is_empty())
}

impl Database {
    /// Adds the tags of commits that were written in this transaction, which so holds their runs.
    pub(super) async fn add_tags(
        &self,
        loan: &mut Loan<'_>,
        commits: &[Placed<'_>],
        lost: &[usize],
    ) -> Result<(), Fault> {
        let mut tags: Vec<(i64, String)> = commits
            .iter()
            .filter(|placed| !lost.contains(&placed.index))
            .flat_map(|placed| {
                let run = placed.commit.lease.run;
                placed
                    .commit
                    .tags
                    .iter()
                    .map(move |tag| (run, tag.to_string()))
            })
            .collect();
        tags.sort_unstable();
        tags.dedup();
        let parameters = Parameters::default()
            .bind(tags.iter().map(|(run, _)| *run).bind_iter())
            .bind(tags.iter().map(|(_, tag)| to_column(tag)).bind_iter());
        loan.rows(&self.sql.tag, parameters).await?;
        Ok(())
    }
}
