import MailMessage
import Testing

/// What other template languages write, and the right form that the refusal shows beside it.
struct TemplateDialectTests {
    static let tags: [(template: String, advice: String)] = [
        // Handlebars
        ("{{#vip}}a{{else}}b{{/vip}}", "{{/vip}}{{^vip}}"),
        ("{{#vip}}a{{else if gold}}b{{/vip}}", "{{/vip}}{{^vip}}"),
        ("{{else}}", "{{/name}}{{^name}}"),
        ("{{#items}}{{this}}{{/items}}", "write {{.}}"),
        ("{{#items}}{{this.title}}{{/items}}", "write {{title}}"),
        ("{{#items}}{{./title}}{{/items}}", "write {{title}}"),
        ("{{#items}}{{../city}}{{/items}}", "write {{city}}"),
        ("{{#items}}{{../../city}}{{/items}}", "write {{city}}"),
        ("{{#items}}{{@index}}{{/items}}", "{{@index}}"),
        ("{{#items}}{{@key}}{{/items}}", "{{@key}}"),
        ("{{#items}}{{#@first}}x{{/@first}}{{/items}}", "{{@first}}"),
        ("{{{@index}}}", "{{@index}}"),
        ("{{@root.city}}", "write {{city}}"),
        ("{{#if vip}}x{{/if}}", "write {{#vip}}…{{/vip}}"),
        ("{{#unless vip}}x{{/unless}}", "write {{^vip}}…{{/vip}}"),
        ("{{#each items}}x{{/each}}", "write {{#items}}…{{/items}}"),
        ("{{#each this.items}}x{{/each}}", "is not known"),
        ("{{#with order}}x{{/with}}", "write {{#order}}…{{/order}}"),
        ("{{#eq plan \"gold\"}}x{{/eq}}", "is not known"),
        ("{{#ifEquals plan \"gold\"}}x{{/ifEquals}}", "is not known"),
        ("{{~name~}}", "write {{name}}"),
        ("{{name~}}", "write {{name}}"),
        ("{{[first name]}}", "write {{first name}}"),
        ("{{default name \"friend\"}}", "{{name|friend}}"),
        ("{{default name 'friend'}}", "{{name|friend}}"),
        ("{{lookup order 'total'}}", "is not known"),
        ("{{formatDate due \"D\"}}", "functions are not known"),
        ("{{!-- {{name}} --}}", "write {{! note }}"),
        // Liquid, Jinja, Twig, Django
        ("{{ name | default: \"friend\" }}", "write {{name|friend}}"),
        ("{{ name | default: 'friend' }}", "write {{name|friend}}"),
        ("{{ name|default:\"friend\" }}", "write {{name|friend}}"),
        ("{{ name | default : \"friend\" }}", "write {{name|friend}}"),
        ("{{ name | default(\"friend\") }}", "write {{name|friend}}"),
        ("{{ name | default('friend', true) }}", "write {{name|friend}}"),
        ("{{ name | default }}", "write {{name|friend}}"),
        ("{{{ name | default: \"friend\" }}}", "write {{name|friend}}"),
        ("{{ name | fallback: friend }}", "write {{name|friend}}"),
        ("{{ name | upcase }}", "the filter upcase"),
        ("{{ name|title }}", "the filter title"),
        ("{{ name|upper|trim }}", "the filter upper"),
        ("{{ name | friend | capitalize }}", "the filter capitalize"),
        ("{{ price | round: 2 }}", "the filter round"),
        ("{{ due | date: \"%d.%m.%Y\" }}", "the filter date"),
        ("{{ due | date_to_string: \"x\" }}", "the filter date_to_string"),
        ("{{ name | truncate(10) }}", "the filter truncate"),
        ("{{ name | truncate: 10 }}", "the filter truncate"),
        ("{{ name | replace('a', 'b') }}", "the filter replace"),
        ("{{ name | custom('a') }}", "the filter custom"),
        ("{{ name or \"friend\" }}", "{{name|friend}}"),
        ("{{ name or 'friend' }}", "{{name|friend}}"),
        ("{{ name or nickname }}", "{{name|friend}}"),
        ("{{ name ?? \"friend\" }}", "{{name|friend}}"),
        ("{{ name ?? 'friend' }}", "{{name|friend}}"),
        ("{{ name ?? friend }}", "{{name|friend}}"),
        ("{{ name ?: 'friend' }}", "{{name|friend}}"),
        ("{{ name ? name : 'friend' }}", "{{name|friend}}"),
        ("{{ name || \"friend\" }}", "write {{name|friend}}"),
        ("{{ name || friend }}", "write {{name|friend}}"),
        ("{{name|\"friend\"}}", "write {{name|friend}}"),
        ("{{name|'friend'}}", "write {{name|friend}}"),
        ("{{ 'friend' }}", "text in quotes"),
        ("{{ \"friend\" }}", "text in quotes"),
        ("{{ items[0] }}", "subscripts"),
        ("{{ order['total'] }}", "subscripts"),
        ("{{ name.upper() }}", "functions"),
        ("{{ upper(name) }}", "functions"),
        ("{{ now() }}", "functions"),
        ("{{ a == b }}", "expressions"),
        ("{{ name = 1 }}", "expressions"),
        ("{{ price * 2 }}", "expressions"),
        ("{{ first ~ last }}", "expressions"),
        ("{{ if vip }}x", "write {{#vip}}…{{/vip}}"),
        ("{{ endif }}", "{{/name}}"),
        ("{{ elif vip }}", "{{^name}}"),
        ("{{ for item in items }}", "write {{#items}}…{{/items}}"),
        ("{{ loop.index }}", "position in a list"),
        ("{{%name%}}", "{%…%}"),
        ("{% if vip %}x{% endif %}", "{%…%}"),
        ("{%- for i in items -%}x{%- endfor -%}", "{%…%}"),
        ("{# a note #}", "write {{! note }}"),
        // Go
        ("{{ .Name }}", "write {{Name}}"),
        ("{{if .Vip}}x{{end}}", "write {{#Vip}}…{{/Vip}}"),
        ("{{range .Items}}x{{end}}", "write {{#Items}}…{{/Items}}"),
        ("{{ printf \"%s\" name }}", "functions"),
        ("{{ $name }}", "sign"),
        ("{{- name -}}", "write {{name}}"),
        // ERB, EJS
        ("<%= name %>", "<%…%>"),
        ("<% if vip %>x<% end %>", "<%…%>"),
        ("<%- name -%>", "<%…%>"),
        // Mailing services
        ("*|FNAME|*", "write {{FNAME}}"),
        ("Hi *|TITLE:FNAME|*", "is a tag of another language"),
        ("*|IF:VIP|*x*|END:IF|*", "is a tag of another language"),
        ("*|UNSUB|*", "write {{unsubscribe_url}}"),
        ("%%FirstName%%", "write {{FirstName}}"),
        ("%recipient.name%", "write {{name}}"),
        ("$[FNAME|friend]$", "write {{FNAME}}"),
    ]

    @Test(arguments: tags)
    func `a tag of another language is refused, and the right form shown`(_ template: String, _ advice: String) throws {
        for part in ["text", "html"] {
            let source = "line one\n\n" + template
            let error = #expect(throws: MessageError.self) {
                try CompiledMessage(
                    Samples.content(html: part == "html" ? source : nil, text: part == "text" ? source : nil))
            }
            #expect([.unsupportedTag, .invalidTag].contains(error?.code), "\(error?.code.rawValue ?? "")")
            #expect(error?.detail.hasPrefix("\(part), line 3: ") == true, "\(error?.detail ?? "")")
            #expect(error?.detail.contains(advice) == true, "\(error?.detail ?? "")")
            #expect(error?.field == part)
        }
        let subject = #expect(throws: MessageError.self) { try CompiledMessage(Samples.content(subject: template)) }
        #expect(subject?.field == "subject")
        let header = #expect(throws: MessageError.self) {
            try CompiledMessage(Samples.content(headers: [("X-Mark", template)]))
        }
        #expect(header?.field == "headers.X-Mark")
    }

    @Test(arguments: [
        // Columns as people name them.
        "{{First Name}}", "{{Price (EUR)}}", "{{Mother's name}}", "{{E-Mail 2}}", "{{Vegetarian?}}", "{{City / Zip}}",
        "{{Start - End}}", "{{Name and surname}}", "{{Do not call}}", "{{utm:source}}", "{{#is member}}x{{/is member}}",
        "{{end}}", "{{if}}", "{{title}}", "{{date}}", "{{default}}", "{{Item #}}", "{{Size [cm]}}", "{{else_text}}",
        "{{thisWeek}}", "{{with}}", "{{100 % cotton}}", "{{Name *}}", "{{a & b}}", "{{#each}}x{{/each}}",
        "{{first.last}}",
        "{{Dates: from, to}}", "{{\u{A0}name\u{A0}}}",
        // Fallbacks as people write them.
        "{{name|friend}}", "{{name|dear friend}}", "{{name|you|me}}", "{{n|item(s)}}", "{{link|https://example.com/}}",
        "{{mail|mailto:a@example.com}}", "{{note|note: none}}", "{{n|0}}", "{{n|}}", "{{name|Title}}",
        "{{name|title of the book}}", "{{name|my \"friend\"}}", "{{name|default customer}}", "{{name|“friend”}}",
        "{{size|one size fits all}}", "{{when|at 5: tea}}", "{{price|-}}", "{{name|first-time reader}}",
        // Signs that are only text.
        "100%% sure, 50%% off", "a *| b", "{% 5 }", "5 <% 6", "a{#b}", "${HOME}", "{name}", "[[page]]", "%PATH%",
        "@media x{a{color:red}}", "@media x{#id{color:red}}",
    ])
    func `what is our own language, or only text, stays`(_ template: String) throws {
        _ = try CompiledMessage(Samples.content(html: "x" + template, text: "x" + template))
    }

    @Test func `advice quotes no text of the message`() throws {
        for template in [
            "{{#if jane@example.org}}", "{{ secret=4711 }}", "{{name|\"4711\"}}", "*|JANE@EXAMPLE.ORG|*", "<%= 4711 %>",
            "{{this.4711@example}}", "{{ name | upper | '4711' }}",
        ] {
            let error = #expect(throws: MessageError.self) { try CompiledMessage(Samples.content(text: template)) }
            #expect(error?.detail.contains("4711") == false, "\(error?.detail ?? "")")
            #expect(error?.detail.lowercased().contains("jane") == false, "\(error?.detail ?? "")")
        }
    }
}
