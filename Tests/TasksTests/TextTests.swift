import JSON
import Testing

@testable import Tasks

/// Text functions against Python's own.
@Suite struct TextTests {
    struct Python: Decodable {
        struct Text: Decodable {
            let text, words, stripped: String
            init(from decoder: any Decoder) throws {
                var list = try decoder.unkeyedContainer()
                text = try list.decode(String.self)
                words = try list.decode(String.self)
                stripped = try list.decode(String.self)
            }
        }
        struct Pair<Value: Decodable>: Decodable {
            let text: String
            let value: Value
            init(from decoder: any Decoder) throws {
                var list = try decoder.unkeyedContainer()
                text = try list.decode(String.self)
                value = try list.decode(Value.self)
            }
        }
        let spaces: [UInt32]
        let floats: [Pair<Double?>]
        let split: [Text]
        let rouge: [Pair<[String]>]
        let rouge_alphabet: [UInt32]
        let numbers: [Pair<String>]
    }

    let python: Python

    init() throws { python = try Fixture.read(Python.self, "python") }

    static let scalars = (0..<UInt32(0x3100)).compactMap(Unicode.Scalar.init)

    @Test func spacesArePythons() {
        #expect(Self.scalars.filter(\.isPythonSpace).map(\.value) == python.spaces)
        for text in python.split {
            #expect(sameBytes(text.text.firstWords(5), text.words))
            #expect(sameBytes(text.text.stripped(), text.stripped))
        }
    }

    @Test func floatsArePythons() {
        for float in python.floats { #expect(number(float.text) == float.value, "\(float.text)") }
    }

    @Test func rougeWordsArePythons() {
        for rouge in python.rouge {
            var words = RougeWords()
            let numbers = words.words(of: rouge.text)
            #expect(numbers.count == rouge.value.count, "\(rouge.text)")
            #expect(numbers == words.words(of: rouge.value.joined(separator: " ")), "\(rouge.text)")
        }
        var words = RougeWords()
        let long = ["abcdefghijklm", "abcdefghijkln", "zzzzzzzzzzzz", "999999999999", "a", "aa", "1", "abcdefghijklm"]
        #expect(Set(words.words(of: long.joined(separator: " "))).count == long.count - 1)
        let alphabet = Self.scalars.filter { scalar in
            var words = RougeWords()
            return !words.words(of: String(scalar)).isEmpty
        }
        #expect(alphabet.map(\.value) == python.rouge_alphabet)
    }

    @Test func numbersAreWrittenAsPythonDoes() throws {
        for number in python.numbers {
            let items = try readHistory(utf8(#"[{"id": 1, "score": \#(number.text)}]"#), file: "h")
            #expect(items[0].fields["score"] == number.value)
        }
    }

    @Test func templatesFillAsFormatDoes() throws {
        let template = try Template("{{{title}}} by {author}: {{}} {title}", place: "t")
        let values = ["title": "{author}", "author": "é{}"]
        #expect(try template.filled { values[$0] } == "{{author}} by é{}: {} {author}")
        #expect(throws: MissingField.self) { try template.filled { _ in nil } }
        #expect(try Template("{} and {}", place: "t").filled(["{}", "b"]) == "{} and b")
        #expect(try Template("{{}}", place: "t").filled([]) == "{}")
        for bad in ["{", "}", "{a", "a}", "{a.b}", "{a[0]}", "{0}", "{a!r}", "{a:>3}", "{ a}", "{a{b}}"] {
            #expect(try taskError { _ = try Template(bad, place: "t") }.code == .badTemplate, "\(bad)")
        }
    }

    @Test func theAnswerIsTheRestOfTheFullTemplate() throws {
        func rest(_ full: String, _ prompt: String) throws -> Template? {
            try Template(full, place: "f").dropping(Template(prompt, place: "p"))
        }
        #expect(try rest("A: {a} B: {b}", "A: {a} B:") == Template(" {b}", place: "t"))
        #expect(try rest("{a}{b}", "{a}") == Template("{b}", place: "t"))
        #expect(try rest("{a} x", "") == Template("{a} x", place: "t"))
        #expect(try rest("A: {a}", "B: {a}") == nil)
        #expect(try rest("A: {a}", "A: {a} and more") == nil)
        #expect(try rest("A: {a} {b}", "A: {c}") == nil)
    }
}
