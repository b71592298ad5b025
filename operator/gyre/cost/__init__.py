"""Money, exactly: what pods cost from the times at which their containers started and finished. Pure.

Promises   sums are exact: quantities and money are decimals that are never rounded before they are shown; what is shown in rows
           sums to what is shown as the total; a container's run is billed once, in whatever order it is told, however often.
Never      samples what is paid for, reads a clock or a cluster, takes a missing price for zero.

    prices      price lists: what a unit of a resource costs, from when until when
    spans       runs of containers and claims: what they keep free, where, until when
    meter       those that go on and those that are over, and what they come to
    usage       what was used of that, as far as somebody looked; what nobody asked for
    bill        quantities at prices, by month and owner; money
    periods     days, months and budget periods in a time zone
    forecast    what will be spent, from what was spent on the days before
    estimate    what a job will cost, before it has run
    anomalies   days that cost more than such days do
    text        meter and bill as JSON and back
    focus       rows of FOCUS 1.2

A package beside `stats`, not in it: `stats` holds formulas over floats, this one is bookkeeping over decimals.
"""
