//! Running one statement, and telling its own errors from the replica's.

use rusqlite::types::ValueRef;
use rusqlite::{Connection, ErrorCode, ffi};
use storage_node_api::limits::MAX_ROWS;
use storage_node_api::metadata::{Constraint, Rows, Statement, Value};

use crate::limits::VALUE_BYTES;
use crate::sql::dialect;
use crate::sql::gate::{Gate, Mode};

/// Why a statement did not run to its end.
#[derive(Debug)]
pub(crate) enum Stop {
    /// A constraint did not hold.
    Constraint { kind: Constraint, what: String },
    /// It is no good statement, by this message.
    Bad(String),
    /// It answers more rows, or bytes of rows, than may be.
    TooManyRows,
    /// It ran for too long. SQLite may have rolled the transaction back.
    Exhausted,
    /// Something failed that does not follow from the statement and the state.
    Fault(rusqlite::Error),
}

/// A connection as statements of the application see it.
pub(crate) struct Runner<'a> {
    pub(crate) connection: &'a Connection,
    pub(crate) gate: &'a Gate,
    pub(crate) mode: Mode,
    /// Whether compiled statements are kept: only where nothing counts exactly,
    /// since a kept one goes on counting where it was.
    pub(crate) keep_prepared: bool,
    /// How many bytes of rows may still be answered.
    pub(crate) bytes_left: usize,
}

impl Runner<'_> {
    /// Runs one statement. Its guard is the caller's business.
    pub(crate) fn run(&mut self, statement: &Statement) -> Result<Rows, Stop> {
        let piece = dialect::single(&statement.sql).map_err(|e| Stop::Bad(e.to_string()))?;
        let verbs: &[&str] = match self.mode {
            Mode::Query => &["select", "with"],
            Mode::Batch | Mode::Internal => &["select", "with", "insert", "update", "delete"],
            Mode::Migration => &[
                "create", "alter", "drop", "with", "insert", "update", "delete",
            ],
        };
        if !verbs.contains(&piece.verb.as_str()) {
            return Err(Stop::Bad(format!("{} is not allowed here", piece.verb)));
        }
        if !piece
            .params
            .iter()
            .copied()
            .eq((1..).take(statement.params.len()))
        {
            let (named, given) = (piece.params.len(), statement.params.len());
            let message = format!("the statement names {named} parameters and is given {given}");
            return Err(Stop::Bad(message));
        }
        let entered = self.gate.enter(self.mode);
        let rows = self.execute(piece.text, &statement.params);
        drop(entered);
        rows
    }

    fn execute(&mut self, sql: &str, params: &[Value]) -> Result<Rows, Stop> {
        let gate = self.gate;
        let classify = |error| classify(error, gate);
        if self.keep_prepared {
            let mut prepared = self.connection.prepare_cached(sql).map_err(classify)?;
            self.step(&mut prepared, params)
        } else {
            let mut prepared = self.connection.prepare(sql).map_err(classify)?;
            self.step(&mut prepared, params)
        }
    }

    fn step(
        &mut self,
        prepared: &mut rusqlite::Statement<'_>,
        params: &[Value],
    ) -> Result<Rows, Stop> {
        let gate = self.gate;
        let classify = |error| classify(error, gate);
        bind(prepared, params, gate)?;
        let columns = prepared.column_count();
        if columns == 0 {
            prepared.raw_execute().map_err(classify)?;
            return Ok(Rows {
                rows: Vec::new(),
                changed: self.connection.changes(),
            });
        }
        let reads = prepared.readonly();
        let mut rows = Vec::new();
        let mut cursor = prepared.raw_query();
        while let Some(row) = cursor.next().map_err(classify)? {
            if rows.len() == MAX_ROWS {
                return Err(Stop::TooManyRows);
            }
            let mut values = Vec::with_capacity(columns);
            for column in 0..columns {
                let value = value(row.get_ref(column).map_err(classify)?)?;
                let bytes = VALUE_BYTES + payload_bytes(&value);
                self.bytes_left = self
                    .bytes_left
                    .checked_sub(bytes)
                    .ok_or(Stop::TooManyRows)?;
                values.push(value);
            }
            rows.push(values);
        }
        drop(cursor);
        if reads {
            return Ok(Rows { rows, changed: 0 });
        }
        // SQL gives the rows of RETURNING no order.
        rows.sort_unstable();
        Ok(Rows {
            rows,
            changed: self.connection.changes(),
        })
    }
}

/// SQLite takes `$1` for a name and numbers parameters as they appear.
fn bind(prepared: &mut rusqlite::Statement<'_>, params: &[Value], gate: &Gate) -> Result<(), Stop> {
    let unknown = || Stop::Bad("the statement names a parameter that is not given".to_owned());
    if prepared.parameter_count() != params.len() {
        return Err(unknown());
    }
    for index in 1..=params.len() {
        let value = prepared
            .parameter_name(index)
            .and_then(|name| name.strip_prefix('$')?.parse::<usize>().ok())
            .and_then(|number| params.get(number.checked_sub(1)?))
            .ok_or_else(unknown)?;
        let value = match value {
            Value::Null => ValueRef::Null,
            Value::Integer(integer) => ValueRef::Integer(*integer),
            Value::Text(text) if text.contains('\0') => {
                return Err(Stop::Bad(format!(
                    "text parameter {index} contains a zero byte"
                )));
            }
            Value::Text(text) => ValueRef::Text(text.as_bytes()),
            Value::Blob(blob) => ValueRef::Blob(blob),
        };
        let value = rusqlite::types::ToSqlOutput::Borrowed(value);
        prepared
            .raw_bind_parameter(index, value)
            .map_err(|e| classify(e, gate))?;
    }
    Ok(())
}

fn value(value: ValueRef<'_>) -> Result<Value, Stop> {
    Ok(match value {
        ValueRef::Null => Value::Null,
        ValueRef::Integer(integer) => Value::Integer(integer),
        ValueRef::Real(_) => {
            return Err(Stop::Bad("a result is a floating-point number".to_owned()));
        }
        ValueRef::Text(text) => match std::str::from_utf8(text) {
            Ok(text) => Value::Text(text.to_owned()),
            Err(_) => return Err(Stop::Bad("a result is text that is not UTF-8".to_owned())),
        },
        ValueRef::Blob(blob) => Value::Blob(blob.to_vec()),
    })
}

fn payload_bytes(value: &Value) -> usize {
    match value {
        Value::Null | Value::Integer(_) => 0,
        Value::Text(text) => text.len(),
        Value::Blob(blob) => blob.len(),
    }
}

/// Parts errors that follow from the statement and the state, and therefore
/// happen on every replica, from those that happen to this one.
fn classify(error: rusqlite::Error, gate: &Gate) -> Stop {
    let (code, message) = match &error {
        rusqlite::Error::SqliteFailure(code, message) => {
            (*code, message.clone().unwrap_or_else(|| code.to_string()))
        }
        rusqlite::Error::SqlInputError {
            error: code, msg, ..
        } => (*code, msg.clone()),
        rusqlite::Error::MultipleStatement => return Stop::Bad("more than one statement".into()),
        _ => return Stop::Fault(error),
    };
    match code.code {
        ErrorCode::ConstraintViolation => constraint(code.extended_code, message),
        ErrorCode::AuthorizationForStatementDenied => Stop::Bad(match gate.take_denied() {
            Some(what) => format!("{what} is not allowed here"),
            None => message,
        }),
        ErrorCode::TooBig | ErrorCode::TypeMismatch | ErrorCode::ParameterOutOfRange => {
            Stop::Bad(message)
        }
        ErrorCode::Unknown if code.extended_code & 0xff == ffi::SQLITE_ERROR => Stop::Bad(message),
        ErrorCode::OperationInterrupted if gate.exhausted() => Stop::Exhausted,
        _ => Stop::Fault(error),
    }
}

fn constraint(extended_code: i32, message: String) -> Stop {
    let kind = match extended_code {
        ffi::SQLITE_CONSTRAINT_UNIQUE
        | ffi::SQLITE_CONSTRAINT_PRIMARYKEY
        | ffi::SQLITE_CONSTRAINT_ROWID => Constraint::Unique,
        ffi::SQLITE_CONSTRAINT_FOREIGNKEY => Constraint::ForeignKey,
        ffi::SQLITE_CONSTRAINT_NOTNULL => Constraint::NotNull,
        ffi::SQLITE_CONSTRAINT_CHECK => Constraint::Check,
        _ => return Stop::Bad(message),
    };
    let what = message
        .split_once(" constraint failed: ")
        .map_or("", |(_, what)| what);
    Stop::Constraint {
        kind,
        what: what.to_owned(),
    }
}
