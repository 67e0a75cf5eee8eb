//! The server's numbers: who may read them, that they tell what happened, and that the dashboard, the alerts and the table
//! in the documents ask for nothing that is not there.

mod doors;
mod monitoring;
mod page;
mod prometheus;
mod table;
