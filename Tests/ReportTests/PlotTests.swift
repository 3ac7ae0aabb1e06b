import Privacy
import Testing

@testable import Report

/// Marks lie where the axis says.
@Suite struct PlotTests {
    @Test func likenessToEachSharer() {
        let svg = likenessPlot(exampleRecord())
        // 0 to 0.6 over 332: the axis's first and last line.
        #expect(svg.contains(#"d="M108,4V76""#) && svg.contains(#"d="M440,4V76""#))
        #expect(svg.contains(#"x="108" y="96" text-anchor="middle">0.0<"#))
        #expect(svg.contains(#"x="440" y="96" text-anchor="middle">0.6<"#))
        #expect(svg.contains(#"class="before" cx="384.7" cy="25""#) && svg.contains(#"class="after" cx="440" cy="25""#))
        #expect(svg.contains(#"class="before" cx="274" cy="59""#) && svg.contains(#"class="after" cx="274" cy="59""#))
        #expect(svg.contains(#"class="shift" d="M384.7,25H440""#))
        var base = exampleRecord()
        base.outcome = .base
        #expect(!likenessPlot(base).contains(#"class="after""#))
    }

    @Test func fitnessByEvaluation() {
        let svg = FitnessPlot(exampleRecord()).svg
        // A tenth is 38 high.
        #expect(svg.contains(#"y="266" text-anchor="end">0.2<"#) && svg.contains(#"d="M52,262H446""#))
        #expect(svg.contains(#"y="228" text-anchor="end">0.3<"#) && svg.contains(#"d="M52,224H446""#))
        // The base has 0.46, the candidates 0.28, 0.755 and 0.54.
        #expect(svg.contains(#"class="base-line" d="M52,163.2H446""#))
        for mark in [(183.3, 231.6), (314.7, 51.1), (446, 132.8)] {
            #expect(svg.contains("cx=\"\(position(mark.0))\" cy=\"\(position(mark.1))\""))
        }
        #expect(svg.contains(#"class="best-line" d="M183.3,231.6H314.7V51.1H446""#))
    }

    @Test func onlyAMergeHasABeforeAndAnAfter() {
        var record = exampleRecord()
        #expect(String(decoding: reportHTML(record), as: UTF8.self).contains("+0.300, over 40 history items"))
        record.outcome = .base
        let html = String(decoding: reportHTML(record), as: UTF8.self)
        #expect(!html.contains("+0.300, over") && html.contains(">over 40 history items<"))
    }

    @Test func theRunsOwnAlphaIsMarked() {
        let rows = alternativesTable(exampleRecord()).split(separator: "\n").filter { $0.contains("marked") }
        #expect(rows.count == 1)
        #expect(rows.first?.contains(">0.1<") == true)
    }
}
