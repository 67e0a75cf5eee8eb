//! Long work; see [`Jobs`].

use async_trait::async_trait;
use rusqlite::{OptionalExtension, Row, params};

use super::{Coded, Id, Json, Sqlite, add_child};
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
impl Jobs for Sqlite {
    async fn add_job(&self, job: &JobRecord) -> Result<(), StoreError> {
        let job = job.clone();
        self.write(move |t| {
            let sql =
                format!("INSERT INTO jobs ({JOB}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (id) DO NOTHING");
            add_child(
                t,
                &sql,
                params![
                    job.id.uuid().into_bytes(),
                    job.user.uuid().into_bytes(),
                    without_nul(&job.server),
                    job.state.code(),
                    without_nul(&job.file),
                    whole(job.bytes),
                    json(&job.request),
                    job.outcome.as_ref().map(json),
                    job.created_at.0,
                    job.ended_at.map(|at| at.0),
                ],
            )
        })
        .await
    }

    async fn job(&self, user: UserId, id: JobId) -> Result<Option<JobRecord>, StoreError> {
        self.read(move |c| {
            let sql = format!("SELECT {JOB} FROM jobs WHERE id = ? AND user_id = ?");
            let key = [id.uuid().into_bytes(), user.uuid().into_bytes()];
            c.prepare_cached(&sql)?.query_row(key, job_of).optional()
        })
        .await
    }

    async fn jobs(&self, user: UserId, limit: u32) -> Result<Vec<JobRecord>, StoreError> {
        self.read(move |c| {
            let sql = format!("SELECT {JOB} FROM jobs WHERE user_id = ? ORDER BY created_at DESC, id DESC LIMIT ?");
            c.prepare_cached(&sql)?.query_map(params![user.uuid().into_bytes(), limit], job_of)?.collect()
        })
        .await
    }

    async fn unfinished_jobs(&self, server: &str) -> Result<Vec<JobRecord>, StoreError> {
        let server = without_nul(server).into_owned();
        self.read(move |c| {
            let sql = format!("SELECT {JOB} FROM jobs WHERE server = ? AND {ALIVE} ORDER BY created_at, id");
            c.prepare_cached(&sql)?.query_map([server], job_of)?.collect()
        })
        .await
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
        self.write(move |t| {
            let sql = format!("UPDATE jobs SET state = ?, outcome = ?, ended_at = ? WHERE id = ? AND {ALIVE}");
            let moved = params![state.code(), outcome, ended_at, id.uuid().into_bytes()];
            Ok(t.prepare_cached(&sql)?.execute(moved)? > 0)
        })
        .await
    }

    async fn add_job_event(&self, id: JobId, event: &JobEvent) -> Result<(), StoreError> {
        let event = event.clone();
        self.write(move |t| {
            let sql = "INSERT INTO job_events (job, seq, kind, data) VALUES (?, ?, ?, ?) ON CONFLICT DO NOTHING";
            let row = params![id.uuid().into_bytes(), whole(event.seq), without_nul(&event.kind), json(&event.data)];
            add_child(t, sql, row)
        })
        .await
    }

    async fn job_events(&self, id: JobId, after: u64) -> Result<Vec<JobEvent>, StoreError> {
        self.read(move |c| {
            let sql = "SELECT seq, kind, data FROM job_events WHERE job = ? AND seq > ? ORDER BY seq";
            let event = |row: &Row<'_>| {
                let seq: i64 = row.get(0)?;
                Ok(JobEvent { seq: seq.unsigned_abs(), kind: row.get(1)?, data: row.get::<_, Json<_>>(2)?.0 })
            };
            c.prepare_cached(sql)?.query_map(params![id.uuid().into_bytes(), whole(after)], event)?.collect()
        })
        .await
    }

    async fn forget_jobs(&self, before: UnixMs) -> Result<u64, StoreError> {
        self.write(move |t| Ok(t.execute("DELETE FROM jobs WHERE ended_at < ?", [before.0])? as u64)).await
    }
}

fn job_of(row: &Row<'_>) -> rusqlite::Result<JobRecord> {
    let bytes: i64 = row.get(5)?;
    Ok(JobRecord {
        id: row.get::<_, Id<_>>(0)?.0,
        user: row.get::<_, Id<_>>(1)?.0,
        server: row.get(2)?,
        state: row.get::<_, Coded<_>>(3)?.0,
        file: row.get(4)?,
        bytes: bytes.unsigned_abs(),
        request: row.get::<_, Json<_>>(6)?.0,
        outcome: row.get::<_, Option<Json<_>>>(7)?.map(|outcome| outcome.0),
        created_at: UnixMs(row.get(8)?),
        ended_at: row.get::<_, Option<i64>>(9)?.map(UnixMs),
    })
}
