"""Money, exactly: what pods cost from the times at which their containers started and finished. Pure.

Promises   sums are exact: quantities and money are decimals that are never rounded before they are shown; what is shown in rows
           sums to what is shown as the total; a container's run is billed once, in whatever order it is told, however often.
Never      samples, reads a clock or a cluster, takes a missing price for zero.

    prices      price lists: what a unit of a resource costs, from when until when
    meter       runs of containers, those that go on and those that are over
    bill        quantities at prices, by month and owner; money
    periods     days, months and budget periods in a time zone
    forecast    what will be spent, from what was spent on the days before
    anomalies   days that cost more than such days do
    text        meter and bill as JSON and back
    focus       rows of FOCUS 1.2

A package beside `stats`, not in it: `stats` holds formulas over floats, this one is bookkeeping over decimals.
"""
