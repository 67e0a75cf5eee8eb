//! Long work; see [`Jobs`].

use async_trait::async_trait;
use tokio_postgres::Row;

use super::{Postgres, coded, id, json_at, json_if_any, large, moment, moment_if_any};
use crate::{
    model::{JobId, UnixMs, UserId},
    store::{
        JobEvent, JobRecord, JobState, Jobs, StoreError,
        rows::{Code, json, whole},
        words::without_nul,
    },
};

/// As [`job_of`] reads them.
const JOB: &str = "id, user_id, server, state, file, bytes, request, outcome, created_at, ended_at";
/// What has not ended.
const ALIVE: &str = "state IN ('queued', 'running')";

#[async_trait]
impl Jobs for Postgres {
    async fn add_job(&self, job: &JobRecord) -> Result<(), StoreError> {
        let sql = format!(
            "INSERT INTO jobs ({JOB}) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10) ON CONFLICT (id) DO NOTHING"
        );
        self.add_child(
            &sql,
            &[
                &job.id.uuid(),
                &job.user.uuid(),
                &without_nul(&job.server),
                &job.state.code(),
                &without_nul(&job.file),
                &whole(job.bytes),
                &json(&job.request),
                &job.outcome.as_ref().map(json),
                &job.created_at.0,
                &job.ended_at.map(|at| at.0),
            ],
        )
        .await
    }

    async fn job(&self, user: UserId, id: JobId) -> Result<Option<JobRecord>, StoreError> {
        let sql = format!("SELECT {JOB} FROM jobs WHERE id = $1 AND user_id = $2");
        self.row(&sql, &[&id.uuid(), &user.uuid()]).await?.as_ref().map(job_of).transpose()
    }

    async fn jobs(&self, user: UserId, limit: u32) -> Result<Vec<JobRecord>, StoreError> {
        let sql = format!("SELECT {JOB} FROM jobs WHERE user_id = $1 ORDER BY created_at DESC, id DESC LIMIT $2");
        self.rows(&sql, &[&user.uuid(), &i64::from(limit)]).await?.iter().map(job_of).collect()
    }

    async fn unfinished_jobs(&self, server: &str) -> Result<Vec<JobRecord>, StoreError> {
        let sql = format!("SELECT {JOB} FROM jobs WHERE server = $1 AND {ALIVE} ORDER BY created_at, id");
        self.rows(&sql, &[&without_nul(server)]).await?.iter().map(job_of).collect()
    }

    async fn move_job(
        &self,
        id: JobId,
        state: JobState,
        outcome: Option<&serde_json::Value>,
        now: UnixMs,
    ) -> Result<bool, StoreError> {
        let outcome = outcome.filter(|_| state.ended()).map(json);
        let ended_at = state.ended().then_some(now.0);
        let sql = format!("UPDATE jobs SET state = $2, outcome = $3, ended_at = $4 WHERE id = $1 AND {ALIVE}");
        Ok(self.execute(&sql, &[&id.uuid(), &state.code(), &outcome, &ended_at]).await? > 0)
    }

    async fn add_job_event(&self, id: JobId, event: &JobEvent) -> Result<(), StoreError> {
        let sql = "INSERT INTO job_events (job, seq, kind, data) VALUES ($1, $2, $3, $4) ON CONFLICT DO NOTHING";
        self.add_child(sql, &[&id.uuid(), &whole(event.seq), &without_nul(&event.kind), &json(&event.data)]).await
    }

    async fn job_events(&self, id: JobId, after: u64) -> Result<Vec<JobEvent>, StoreError> {
        let sql = "SELECT seq, kind, data FROM job_events WHERE job = $1 AND seq > $2 ORDER BY seq";
        let rows = self.rows(sql, &[&id.uuid(), &whole(after)]).await?;
        let event = |row: &Row| Ok(JobEvent { seq: large(row, 0)?, kind: row.try_get(1)?, data: json_at(row, 2)? });
        rows.iter().map(event).collect()
    }

    async fn forget_jobs(&self, before: UnixMs) -> Result<u64, StoreError> {
        self.execute("DELETE FROM jobs WHERE ended_at < $1", &[&before.0]).await
    }
}

fn job_of(row: &Row) -> Result<JobRecord, StoreError> {
    Ok(JobRecord {
        id: id(row, 0)?,
        user: id(row, 1)?,
        server: row.try_get(2)?,
        state: coded(row, 3)?,
        file: row.try_get(4)?,
        bytes: large(row, 5)?,
        request: json_at(row, 6)?,
        outcome: json_if_any(row, 7)?,
        created_at: moment(row, 8)?,
        ended_at: moment_if_any(row, 9)?,
    })
}
