import Privacy
import Testing

@testable import Report

@Suite struct ReportHTMLTests {
    private func page(_ change: (inout PrivacyRecord) -> Void = { _ in }) -> String {
        var record = exampleRecord()
        change(&record)
        let html = String(decoding: reportHTML(record), as: UTF8.self)
        #expect(tagMistake(in: html) == nil)
        for word in ["nan", "inf", "Optional("] { #expect(!html.contains(">\(word)") && !html.contains("\"\(word)")) }
        return html
    }

    @Test func saysWhatShips() {
        #expect(
            page().contains(
                "<h1>The merge ships: history score 0.500\u{a0}→\u{a0}0.800, "
                    + "likeness to the sharers 0.400\u{a0}→\u{a0}0.450</h1>"))
        #expect(page { $0.outcome = .base }.contains("<h1>The base ships: history score\u{a0}0.500"))
        #expect(page { $0.release = .held(reason: "too <near>") }.contains("The result is held: too &lt;near&gt;</h1>"))
    }

    @Test func saysWhyTheBaseShips() {
        func base(_ change: (inout PrivacyRecord) -> Void) -> String {
            page { record in
                record.outcome = .base
                record.heldOut?.merged = 0.45
                record.heldOut?.gap = 0
                change(&record)
            }
        }
        let better = base { $0.heldOut?.recommended = .init(utility: 0.3, fitness: 0.21, searchedFitness: 0.45) }
        #expect(better.contains("What the search recommended was no better than the base, so nothing of any sharer"))
        let vetoed = base { record in
            record.heldOut?.items = 1
            record.heldOut?.recommended = .init(utility: 0.3, fitness: 0.21, searchedFitness: 0.81)
        }
        #expect(
            vetoed.contains(
                "better than the base where it was searched (fitness 0.810, the base 0.460) and worse on the "
                    + "1 history item kept from the search (0.210, the base 0.410), so nothing of any sharer"))
        #expect(
            vetoed.contains("Kept from the search: 1 history item. What the search recommended scores 0.300 there."))
        #expect(!vetoed.contains("no better") && !vetoed.contains("1 items") && !vetoed.contains("1 history items"))
        for page in [better, vetoed] { #expect(!page.contains("overfit") && !page.contains("gap 0.000")) }
        let level = page { $0.heldOut?.gap = 0 }
        #expect(level.contains("0.000 less where the search looked: no sign of overfitting"))
        #expect(page().contains("overfit") && page().contains("gap 0.120"))
    }

    @Test func isSelfContained() {
        let html = page()
        for outside in ["<script", "http:", "https:", "url(", "@import", "<link", "<img", " src=", " href="] {
            #expect(!html.contains(outside), "\(outside)")
        }
    }

    @Test func showsWhatTheRecordHas() {
        let html = page()
        for fact in [
            "18446744073709551615", "3 of 3 evaluations", "cma-es", "0.120 more", "+0.740", "−0.250",
            "a copy would have 1.300", "<td>1.250</td>", ">207</bdi>", ">210</bdi>", "accuracy + f1",
            "class=\"marked\"",
        ] {
            #expect(html.contains(fact), "\(fact)")
        }
    }

    @Test(arguments: [
        "<script>alert(1)</script>", "\"><svg onload=x>", "' onclick='x", "a&b;c", "\u{0}\u{1b}[31m\u{85}",
        "\u{202e}gro",
        "]]>", "--><", String(repeating: "long", count: 5000), "", "日本語👩‍👩‍👧", "\u{301}\u{301}",
    ])
    func anyTextIsHarmless(text: String) {
        let html = page { record in
            record.job = text
            record.user = text
            record.task = text
            record.base = text
            record.metrics = [text, text]
            record.search.optimizer = text
            record.search.granularity = text
            record.search.merge = text
            record.release = .held(reason: text)
            for index in record.sharers.indices { record.sharers[index].id = text }
        }
        #expect(!html.contains("<script") && !html.contains("<svg onload") && !html.contains(" onclick='"))
        #expect(!html.unicodeScalars.contains { $0.value < 0x20 && $0 != "\n" || (0x7f...0x9f).contains($0.value) })
        #expect(!html.unicodeScalars.contains("\u{202e}"))
    }

    @Test func valuesWithoutANumberAreDashes() {
        for value in [Double.nan, .infinity, -.infinity, .greatestFiniteMagnitude, -1e300, .leastNonzeroMagnitude] {
            let html = page { record in
                record.utility = .init(base: value, merged: value, baseMetrics: [value], mergedMetrics: [])
                record.similarity = .init(before: value, after: -value)
                record.heldOut = .init(
                    items: 0, base: value, merged: value, sharers: [value],
                    recommended: .init(utility: value, fitness: value, searchedFitness: value), baseFitness: value,
                    gap: value)
                record.search.alpha = value
                for index in record.sharers.indices {
                    record.sharers[index].cosine = value
                    record.sharers[index].utility = value
                    record.sharers[index].weights = [value, -value]
                    record.sharers[index].similarityBefore = value
                    record.sharers[index].similarityAfter = -value
                    record.sharers[index].similarityOfCopy = value
                }
                for index in record.candidates.indices {
                    record.candidates[index].utility = value
                    record.candidates[index].similarity = -value
                    record.candidates[index].fitness = value
                }
            }
            if !value.isFinite { #expect(html.contains("<td>–</td>")) }
        }
    }

    @Test func nothingToShowStillIsAPage() {
        let html = page { record in
            record.candidates = []
            record.front = [3, -1, .max]
            record.alternatives = []
            record.sharers = []
            record.metrics = []
            record.heldOut = nil
        }
        #expect(html.contains("No sharer took part"))
        #expect(html.contains("No candidate was evaluated"))
        #expect(html.contains("No part of the history was kept from the search"))
        for count in 1...2 { _ = page { $0.candidates.removeLast($0.candidates.count - count) } }
        _ = page { $0.sharers[0].weights = [] }
    }

    @Test func extremeCountersDoNotTrap() {
        _ = page { record in
            record.candidates[1].evaluation = .max
            record.candidates[2].evaluation = .min
            record.search.historyItems = .min
            record.search.budget = .max
        }
    }

    @Test func manyCandidatesStayLight() {
        let html = page { record in
            record.candidates = (0..<10_000).map { index in
                let (x, y) = (Double(index % 997) / 997, Double(index % 1009) / 1009)
                return .init(
                    evaluation: index, generation: index / 7, weights: [x, y], utility: x * y, similarity: x,
                    similarities: [x, x], fitness: y)
            }
            record.front = paretoFront(record.candidates)
        }
        #expect(html.utf8.count < 400_000)
        #expect(html.contains("class=\"candidate many\""))
    }

    @Test func manySharersAreAllInTheTable() {
        let html = page { record in
            let sharer = record.sharers[0]
            record.sharers = (0..<300).map { index in
                var other = sharer
                other.id = "s\(index)"
                return other
            }
        }
        #expect(html.contains("<bdi>s299</bdi>"))
        #expect(html.contains("The figures show the first 40 sharers."))
        #expect(html.contains("288 more are in the table."))
    }

    @Test func layerWiseWeightsAreAStrip() {
        let html = page { record in
            record.sharers[0].weights = (0..<32).map { Double($0) / 16 - 1 }
            record.sharers[1].weights = [0.5]
        }
        #expect(html.contains("<title>layer 31: +0.938</title>"))
        #expect(html.contains("class=\"strip\""))
    }

    @Test func equalRecordsGiveEqualBytes() throws {
        #expect(reportHTML(exampleRecord()) == reportHTML(exampleRecord()))
        #expect(try privacyJSON(exampleRecord()) == privacyJSON(exampleRecord()))
    }
}
