"""Which sections a study's page has, in their order: what a study has decides, never its name."""

from __future__ import annotations

from paribus.analysis.results import Results
from paribus.energy.carbon import Grid
from paribus.report import (
    augmentation,
    choice,
    cost,
    denoising,
    eigenfaces,
    held_out,
    hero,
    method,
    occlusion,
    overview,
    people,
    published,
    range_test,
    rates,
    reconstructions,
    repeat,
    search,
    training_curves,
    user_modules,
    weight_images,
)
from paribus.report import results as results_of_arms
from paribus.report.blocks import Section


def sections_of(results: Results, grid: Grid | None = None) -> tuple[Section, ...]:
    """All sections of a study's page that have something to say."""
    parts = (
        *_own(results),
        cost.cost_section(results, grid),
        user_modules.section(results),
        method.method_section(results),
        repeat.section(results),
    )
    return tuple(part for part in parts if part is not None)


def _own(results: Results) -> tuple[Section | None, ...]:
    """What is said of results. Of a range test, whose networks are trained until they fail, only the rates."""
    if results.study.search is not None:
        return tuple(search.sections(results))
    ranges, figure = range_test.section(results), hero.figure(results)
    if ranges is not None:
        drawn = () if figure is None else figure.curves
        return (None if figure is None else figure.section, ranges, training_curves.section(results, drawn))
    return _of_arms(results)


def _of_arms(results: Results) -> tuple[Section | None, ...]:
    """What is said of a study whose arms were all trained to their ends."""
    figure = hero.figure(results)
    return (
        None if figure is None else figure.section,
        overview.claims_section(results),
        overview.finding_section(results),
        choice.section(results),
        rates.section(results),
        results_of_arms.section(results),
        training_curves.section(results, () if figure is None else figure.curves),
        *held_out.sections(results),
        occlusion.section(results),
        reconstructions.section(results),
        people.section(results),
        weight_images.section(results),
        eigenfaces.section(results),
        denoising.section(results),
        published.section(results),
        augmentation.section(results),
    )
