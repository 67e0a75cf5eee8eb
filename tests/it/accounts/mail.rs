//! Mail, through a real mail server.
