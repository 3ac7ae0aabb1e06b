import Testing

@testable import Report

@Suite struct MarkupTests {
    @Test func escapes() {
        #expect(escape("<a href=\"x\">&'") == "&lt;a href=&quot;x&quot;&gt;&amp;&#39;")
        #expect(
            escape("a\u{0}b\n\u{7f}\u{9f}\u{2066}") == "a\u{fffd}b"
                + String(repeating: "\u{fffd}", count: 4))
        for code: UInt32 in [0xfdd0, 0xfffe, 0x1ffff] {
            #expect(escape(Unicode.Scalar(code).map { String($0) } ?? "") == "\u{fffd}")
        }
        #expect(escape("ø日👩‍👧") == "ø日👩‍👧")
        #expect(escape("<\u{301}") == "&lt;\u{301}")
    }

    @Test func numbers() {
        #expect(number(0.8238011) == "0.824")
        #expect(number(-0.0004) == "0.000")
        #expect(number(-1.5, places: 1) == "−1.5")
        #expect(number(.nan) == "–")
        #expect(number(1e300) == "1e+300")
        #expect(signed(0.2) == "+0.200")
        #expect(signed(-0.2) == "−0.200")
        #expect(signed(0.0001) == "0.000")
        #expect(signed(.infinity) == "–")
        #expect(setting(0.1) == "0.1")
        #expect(setting(10) == "10")
        #expect(setting(0) == "0")
        #expect(position(-0.04) == "0")
        #expect(position(12.25) == "12.3")
        #expect(position(-0.5) == "-0.5")
    }

    @Test func shortens() {
        #expect(shortened("207", to: 7) == "207")
        #expect(shortened("abcdefghij", to: 7) == "abc…hij")
    }
}

@Suite struct ChartTests {
    @Test func axesHaveRoundTicks() {
        let axis = Axis([0.0114, 0.4706])
        #expect(axis.ticks.map(axis.label) == ["0.0", "0.1", "0.2", "0.3", "0.4", "0.5"])
        let wide = Axis([0, 10_000])
        #expect(wide.ticks.map(wide.label) == ["0", "2000", "4000", "6000", "8000", "10000"])
        let signed = Axis([-0.74, 0.74], intervals: 4)
        #expect(signed.ticks.map(signed.label) == ["−1.0", "−0.5", "0.0", "0.5", "1.0"])
    }

    @Test(arguments: [
        [], [0], [1e7, 1e7], [-3], [.nan, .infinity], [1e-9, 2e-9], [-1e7, 1e7], [1e300], [0.1, 0.1000001],
    ])
    func everyAxisHoldsItsValues(values: [Double]) {
        let axis = Axis(values)
        #expect((2...12).contains(axis.ticks.count))
        for value in values where isDrawable(value) { #expect((-0.001...1.001).contains(axis.fraction(value))) }
    }

    @Test func spreadsWithinLimits() {
        #expect(spread([10, 11, 50], gap: 5, within: 0...100) == [10, 15, 50])
        #expect(spread([99, 98], gap: 5, within: 0...100) == [100, 95])
        #expect(spread([], gap: 5, within: 0...100).isEmpty)
    }
}
