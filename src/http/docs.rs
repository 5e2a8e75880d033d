//! `/openapi.json`, and `/docs`: the same document as a page that a person can read, made on the server.

use std::fmt::Write as _;

use axum::Json;
use axum::response::Html;
use serde_json::Value;
use utoipa::openapi::OpenApi as Document;

use super::error::kinds;
use super::router::openapi;

/// The OpenAPI document.
#[utoipa::path(get, path = "/openapi.json", tag = "health", responses((status = 200, description = "OpenAPI document", body = Object)))]
pub(super) async fn openapi_json() -> Json<Document> {
    Json(openapi())
}

/// The API's documentation for people.
#[utoipa::path(get, path = "/docs", tag = "health", responses((status = 200, description = "Documentation", body = String, content_type = "text/html")))]
pub(super) async fn docs() -> Html<String> {
    let document = serde_json::to_value(openapi()).unwrap_or_default();
    Html(render(&document))
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

fn text<'a>(value: &'a Value, key: &str) -> &'a str {
    value.get(key).and_then(Value::as_str).unwrap_or("")
}

/// The name of a schema: `Alert`, `array of Alert`, `string (date-time)`, `string or null`.
fn type_name(schema: &Value) -> String {
    if let Some(name) = schema.get("$ref").and_then(Value::as_str) {
        let name = escape(name.rsplit('/').next().unwrap_or(name));
        return format!("<a href=\"#schema-{name}\">{name}</a>");
    }
    if let Some(choices) = schema.get("oneOf").or_else(|| schema.get("anyOf")).and_then(Value::as_array) {
        return choices.iter().map(type_name).collect::<Vec<_>>().join(" or ");
    }
    if let Some(values) = schema.get("enum").and_then(Value::as_array) {
        return values
            .iter()
            .map(|v| format!("<code>{}</code>", escape(&v.to_string())))
            .collect::<Vec<_>>()
            .join(" | ");
    }
    let base = match schema.get("type") {
        Some(Value::String(one)) => one.clone(),
        Some(Value::Array(many)) => many.iter().filter_map(Value::as_str).collect::<Vec<_>>().join(" or "),
        _ => "any".to_owned(),
    };
    match (base.as_str(), schema.get("items"), schema.get("format").and_then(Value::as_str)) {
        ("array", Some(items), _) => format!("array of {}", type_name(items)),
        (_, _, Some(format)) => format!("{} ({})", escape(&base), escape(format)),
        _ => escape(&base),
    }
}

fn render_operation(out: &mut String, method: &str, path: &str, operation: &Value) {
    let id = text(operation, "operationId");
    let _ = write!(
        out,
        "<section class=\"operation\" id=\"{id}\"><h3><span class=\"method\">{}</span> <code>{}</code></h3><p>{}</p>",
        method.to_uppercase(),
        escape(path),
        escape(text(operation, "summary"))
    );
    if !text(operation, "description").is_empty() {
        let _ = write!(out, "<p>{}</p>", escape(text(operation, "description")));
    }
    let parameters = operation.get("parameters").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    if !parameters.is_empty() {
        out.push_str(
            "<table><thead><tr><th>parameter</th><th>in</th><th>type</th><th>meaning</th></tr></thead><tbody>",
        );
        for parameter in parameters {
            let required = if parameter.get("required") == Some(&Value::Bool(true)) { " *" } else { "" };
            let _ = write!(
                out,
                "<tr><td><code>{}</code>{required}</td><td>{}</td><td>{}</td><td>{}</td></tr>",
                escape(text(parameter, "name")),
                escape(text(parameter, "in")),
                parameter.get("schema").map(type_name).unwrap_or_default(),
                escape(text(parameter, "description")),
            );
        }
        out.push_str("</tbody></table>");
    }
    let content_type = |value: &Value| -> String {
        let Some((media, content)) = value.get("content").and_then(Value::as_object).and_then(|c| c.iter().next())
        else {
            return String::new();
        };
        let schema = content.get("schema").map(type_name).unwrap_or_default();
        format!("{schema} <small>{}</small>", escape(media))
    };
    if let Some(body) = operation.get("requestBody") {
        let _ = write!(out, "<p>Body: {}</p>", content_type(body));
    }
    out.push_str("<table><thead><tr><th>status</th><th>answer</th><th>body</th></tr></thead><tbody>");
    for (status, response) in operation.get("responses").and_then(Value::as_object).into_iter().flatten() {
        let _ = write!(
            out,
            "<tr><td>{}</td><td>{}</td><td>{}</td></tr>",
            escape(status),
            escape(text(response, "description")),
            content_type(response)
        );
    }
    out.push_str("</tbody></table></section>");
}

fn render_schema(out: &mut String, name: &str, schema: &Value) {
    let name = escape(name);
    let _ = write!(out, "<section id=\"schema-{name}\"><h3>{name}</h3><p>{}</p>", escape(text(schema, "description")));
    match schema.get("properties").and_then(Value::as_object) {
        Some(properties) => {
            out.push_str("<table><thead><tr><th>field</th><th>type</th><th>meaning</th></tr></thead><tbody>");
            for (field, property) in properties {
                let _ = write!(
                    out,
                    "<tr><td><code>{}</code></td><td>{}</td><td>{}</td></tr>",
                    escape(field),
                    type_name(property),
                    escape(text(property, "description"))
                );
            }
            out.push_str("</tbody></table>");
        }
        None => {
            let _ = write!(out, "<p>{}</p>", type_name(schema));
        }
    }
    out.push_str("</section>");
}

/// The page for a document.
fn render(document: &Value) -> String {
    let info = document.get("info").cloned().unwrap_or_default();
    let mut out = String::from(
        "<!doctype html><html lang=\"en\"><head><meta charset=\"utf-8\"><title>Kilter API</title>\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\
         <link rel=\"icon\" href=\"/assets/icon.svg\" type=\"image/svg+xml\">\
         <link rel=\"icon\" href=\"/assets/icon.svg\" type=\"image/svg+xml\">\
         <link rel=\"stylesheet\" href=\"/assets/page.css\"></head><body class=\"docs\"><main>",
    );
    let _ = write!(
        out,
        "<h1>Kilter API {}</h1><p>{}</p><p><a href=\"/\">Dashboard</a> · <a href=\"/openapi.json\">openapi.json</a></p>",
        escape(text(&info, "version")),
        escape(text(&info, "description"))
    );
    for tag in document.get("tags").and_then(Value::as_array).into_iter().flatten() {
        let name = text(tag, "name");
        let _ = write!(out, "<h2 id=\"tag-{name}\">{name}</h2><p>{}</p>", escape(text(tag, "description")));
        for (path, item) in document.get("paths").and_then(Value::as_object).into_iter().flatten() {
            for (method, operation) in item.as_object().into_iter().flatten() {
                let tags = operation.get("tags").and_then(Value::as_array);
                if tags.is_some_and(|tags| tags.iter().any(|t| t.as_str() == Some(name))) {
                    render_operation(&mut out, method, path, operation);
                }
            }
        }
    }
    out.push_str("<h2 id=\"schemas\">Bodies</h2>");
    for (name, schema) in document.pointer("/components/schemas").and_then(Value::as_object).into_iter().flatten() {
        render_schema(&mut out, name, schema);
    }
    out.push_str(
        "<h2 id=\"problems\">Problems</h2><p>An error is <code>application/problem+json</code> (RFC 9457); its \
         <code>type</code> leads here.</p><table><thead><tr><th>type</th><th>status</th><th>title</th></tr></thead><tbody>",
    );
    for (name, status, title) in kinds() {
        let _ = write!(
            out,
            "<tr id=\"{name}\"><td><code>{name}</code></td><td>{}</td><td>{title}</td></tr>",
            status.as_u16()
        );
    }
    out.push_str("</tbody></table></main></body></html>");
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_route_and_every_problem_is_on_the_page() {
        let document = serde_json::to_value(openapi()).unwrap();
        let page = render(&document);
        for path in document["paths"].as_object().unwrap().keys() {
            assert!(page.contains(&format!("<code>{path}</code>")), "{path}");
        }
        for (name, ..) in kinds() {
            assert!(page.contains(&format!("id=\"{name}\"")), "{name}");
        }
        assert!(!page.contains("http://") && !page.contains("https://"), "nothing is fetched from elsewhere");
    }
}
