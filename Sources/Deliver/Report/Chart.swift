/// A linear axis over round numbers.
struct Axis: Equatable {
    let ticks: [Double]
    private let places: Int

    var lower: Double { ticks[0] }
    var upper: Double { ticks[ticks.count - 1] }

    /// The shortest axis of multiples of 1, 2 or 5 times a power of ten that holds all `values`.
    ///
    /// - Parameters:
    ///   - values: those that are not drawable are left out; none at all give 0...1.
    ///   - intervals: about how many to aim for; there may be one or two more.
    init(_ values: some Sequence<Double>, intervals: Int = 5) {
        var low = Double.infinity
        var high = -Double.infinity
        for value in values where isDrawable(value) {
            low = min(low, value)
            high = max(high, value)
        }
        if low > high { (low, high) = (0, 1) }
        let least = max(1e-6, max(low.magnitude, high.magnitude) * 1e-6)
        if high - low < least {
            let half = max(low.magnitude * 0.1, 0.1)
            (low, high) = (low - half, high + half)
        }
        let step = Axis.step(for: (high - low) / Double(max(1, intervals)))
        let first = Int((low / step.size + 1e-9).rounded(.down))
        let last = max(first + 1, Int((high / step.size - 1e-9).rounded(.up)))
        ticks = (first...last).map { Double($0) * step.size }
        places = step.places
    }

    func label(_ tick: Double) -> String { number(tick, places: places) }

    /// Where `value` lies between the ends, 0...1.
    func fraction(_ value: Double) -> Double { (value - lower) / (upper - lower) }

    private static func step(for least: Double) -> (size: Double, places: Int) {
        var power = 1.0
        var exponent = 0
        while power > least {
            exponent -= 1
            power = 1 / tenfold(-exponent)
        }
        while power * 10 <= least {
            exponent += 1
            power = tenfold(exponent)
        }
        let digit = [1.0, 2, 5, 10].first { power * $0 >= least * 0.999_999 } ?? 10
        return (digit * power, max(0, digit == 10 ? -exponent - 1 : -exponent))
    }

    private static func tenfold(_ exponent: Int) -> Double { (0..<exponent).reduce(1.0) { power, _ in power * 10 } }
}

/// Whether a value has a place on a chart. Scores are a few units large; what is beyond is an accident, not a scale.
func isDrawable(_ value: Double) -> Bool { value.isFinite && value.magnitude < 1e8 }

/// A point of a chart, and the words of its tooltip.
struct Mark {
    var x: Double
    var y: Double
    var title: String

    var isDrawable: Bool { Report.isDrawable(x) && Report.isDrawable(y) }
}

/// The drawing area of a chart with two axes. Drawing units are CSS pixels at the chart's natural size.
struct Frame {
    var width: Double
    var height: Double
    var left = 52.0
    var right = 14.0
    var top = 34.0
    var bottom = 58.0
    /// From the horizontal axis down to the baseline of its labels.
    var drop = 20.0
    var horizontal: Axis
    var vertical: Axis

    func x(_ value: Double) -> Double { left + horizontal.fraction(value) * (width - left - right) }
    func y(_ value: Double) -> Double { height - bottom - vertical.fraction(value) * (height - top - bottom) }

    /// Grid, tick labels and titles; the vertical axis is named above it, where the words need not be turned.
    func axes(horizontalTitle: String, verticalTitle: String) -> String {
        var svg = ""
        for tick in vertical.ticks {
            let at = position(y(tick))
            svg += "<path class=\"grid\" d=\"M\(position(left)),\(at)H\(position(width - right))\"/>"
            svg += text(vertical.label(tick), x: left - 8, y: y(tick) + 4, anchor: .end)
        }
        svg += horizontalTicks(horizontal, y: height - bottom, drop: drop) { x($0) }
        svg += text(horizontalTitle, x: (left + width - right) / 2, y: height - 10, anchor: .middle, style: "name")
        svg += text(verticalTitle, x: 4, y: 15, anchor: .start, style: "name")
        return svg + "\n"
    }

    /// Equal marks as circles with tooltips; very many as one path without, so that a page stays light.
    func cloud(_ marks: [Mark], style: String, radius: Double) -> String {
        let drawable = marks.filter(\.isDrawable)
        guard drawable.count > 400 else {
            return drawable.map { circle(x: x($0.x), y: y($0.y), radius: radius, style: style, title: $0.title) }
                .joined(separator: "\n") + "\n"
        }
        var seen: Set<[Int]> = []
        var path = ""
        for mark in drawable {
            let place = [Int(x(mark.x).rounded()), Int(y(mark.y).rounded())]
            if seen.insert(place).inserted { path += "M\(place[0]),\(place[1])h0" }
        }
        return "<path class=\"\(style) many\" d=\"\(path)\"/>\n"
    }
}

/// A horizontal axis' line at height `y`, and its labels `drop` below.
func horizontalTicks(_ axis: Axis, y: Double, drop: Double = 20, x: (Double) -> Double) -> String {
    var svg = "<path class=\"axis\" d=\"M\(position(x(axis.lower))),\(position(y))H\(position(x(axis.upper)))\"/>"
    for tick in axis.ticks {
        svg += "<path class=\"axis\" d=\"M\(position(x(tick))),\(position(y))v5\"/>"
        svg += text(axis.label(tick), x: x(tick), y: y + drop, anchor: .middle)
    }
    return svg
}

enum Anchor: String { case start, middle, end }

func text(_ words: String, x: Double, y: Double, anchor: Anchor, style: String = "") -> String {
    let style = style.isEmpty ? "" : " class=\"\(style)\""
    return "<text x=\"\(position(x))\" y=\"\(position(y))\" text-anchor=\"\(anchor.rawValue)\"\(style)>"
        + "\(escape(words))</text>"
}

func circle(x: Double, y: Double, radius: Double, style: String, title: String) -> String {
    "<circle class=\"\(style)\" cx=\"\(position(x))\" cy=\"\(position(y))\" r=\"\(position(radius))\">"
        + "<title>\(escape(title))</title></circle>"
}

/// A drawing that fills its column; `label` is what a screen reader says for it.
func drawing(width: Double, height: Double, style: String, label: String, _ content: String) -> String {
    "<svg class=\"\(style)\" viewBox=\"0 0 \(position(width)) \(position(height))\" role=\"img\" "
        + "aria-label=\"\(escape(label))\">\n\(content)</svg>\n"
}
