//! A node with one more actor linked in: `DbUpdate`, which opens a database where the capability says that there
//! is one.
//!
//! It is the `odeon` command with one more actor:
//!
//! ```text
//! db_update up --join TOKEN --capability "Has DB access=true" --capability database=/var/lib/app.sqlite
//! odeon create DbUpdate                    # from any node: it runs where the database is
//! odeon ask ADDRESS '{"Query": {"sql": "select * from host"}}'
//! ```

use odeon::{Context, Failure, Message, Registry, Value, actor};
use rusqlite::Connection;
use rusqlite::types::ValueRef;
use serde::{Deserialize, Serialize};

/// Rows of one answer at most.
const ROWS_MAX: usize = 10_000;

/// Asks for rows.
#[derive(Debug, Serialize, Deserialize, Message)]
struct Query {
    sql: String,
}

/// Changes the database; answered with the number of changed rows.
#[derive(Debug, Serialize, Deserialize, Message)]
struct Update {
    sql: String,
}

/// The rows that a query found.
#[derive(Debug, Serialize, Deserialize, Message)]
struct Rows {
    rows: Vec<Vec<Value>>,
}

/// Holds the connection; it is opened by the first message, on the node that has the database.
#[derive(Default)]
struct DbUpdate {
    connection: Option<Connection>,
}

#[actor]
#[require_capability("Has DB access")]
impl DbUpdate {
    #[handler]
    fn query(&mut self, query: &Query, cx: &mut Context) -> Result<(), Failure> {
        let rows = rows(self.connection(cx)?, &query.sql)?;
        cx.reply(Rows { rows });
        Ok(())
    }

    #[handler]
    fn update(&mut self, update: &Update, cx: &mut Context) -> Result<(), Failure> {
        let changed = self.connection(cx)?.execute(&update.sql, [])?;
        cx.reply(i64::try_from(changed)?);
        Ok(())
    }

    fn connection(&mut self, cx: &Context) -> Result<&Connection, Failure> {
        if self.connection.is_none() {
            let capabilities = cx.capabilities();
            let path = capabilities.value("database").and_then(Value::as_str);
            let path = path.ok_or_else(|| Failure::new("capability \"database\" does not name a file"))?;
            match Connection::open(path) {
                Ok(connection) => self.connection = Some(connection),
                Err(error) => {
                    // The next one is created elsewhere.
                    cx.warn(format!("lost the database {path}: {error}"));
                    cx.update_capability("Has DB access", false);
                    return Err(error.into());
                }
            }
        }
        self.connection.as_ref().ok_or_else(|| Failure::new("no connection"))
    }
}

fn rows(connection: &Connection, sql: &str) -> Result<Vec<Vec<Value>>, Failure> {
    let mut statement = connection.prepare(sql)?;
    let columns = statement.column_count();
    let mut found = statement.query([])?;
    let mut rows = Vec::new();
    while let Some(row) = found.next()? {
        if rows.len() == ROWS_MAX {
            return Err(Failure::new(format!("more than {ROWS_MAX} rows")));
        }
        rows.push((0..columns).map(|at| Ok(value(row.get_ref(at)?))).collect::<Result<_, rusqlite::Error>>()?);
    }
    Ok(rows)
}

fn value(found: ValueRef<'_>) -> Value {
    match found {
        ValueRef::Null => Value::Null,
        ValueRef::Integer(v) => Value::Integer(v),
        ValueRef::Real(v) => Value::Float(v),
        ValueRef::Text(v) => Value::String(String::from_utf8_lossy(v).into_owned()),
        ValueRef::Blob(v) => Value::List(v.iter().map(|b| Value::Integer((*b).into())).collect()),
    }
}

fn main() -> std::process::ExitCode {
    odeon_node::main_with(Registry::new().with::<DbUpdate>())
}
