"""What is told of a training: a bounded number of parts, the same however often it was cut off."""

from hypothesis import given
from hypothesis import strategies as st

from agent0es.training.course import PARTS, Course, is_told, said


def told(course: Course, steps: int, upto: int) -> dict[int, object]:
    """Step to what is told after it, of the steps that a process makes until it ends after one of them."""
    parts = {}
    while course.step < upto:
        step = course.step + 1
        course.loss.append(1 / step)
        course.gradient_norm.append(step / 7)
        course.metrics.append({"reward": float(step), **({"clipped": 0.5} if step % 3 == 0 else {})})
        course.tokens += 10
        message = said(course, steps, 0.001, 0.5 * step, 0, 10 * step)
        if "part" in message:
            parts[step] = message["part"]
    return parts


@given(st.integers(1, 500), st.data())
def test_a_training_that_was_cut_off_tells_what_one_tells_that_was_not(steps: int, data: st.DataObject) -> None:
    whole = told(Course(), steps, steps)
    assert len(whole) == min(steps, PARTS) and max(whole) == steps
    cut = data.draw(st.integers(0, steps))
    course = Course()
    before = told(course, steps, cut)
    assert {**before, **told(Course(**course.as_dict()), steps, steps)} == whole


def test_a_part_has_the_means_over_its_steps_and_a_message_those_of_its_step() -> None:
    course = Course([4.0, 2.0, 1.0], [1.0, 2.0, 3.0], [{"kl": 1.0}, {}, {"kl": 3.0}], 300)
    message = said(course, 60, 0.01, seconds=2.0, begun_at=1, read=200)
    assert is_told(3, 60) and not is_told(2, 60)
    assert (message["loss"], message["tokens_per_second"], message["eta_seconds"]) == (1.0, 100.0, 57.0)
    assert message["part"] == {
        "loss": 2.3333,
        "gradient_norm": 2.0,
        "learning_rate": 0.01,
        "tokens": 300,
        "metrics": {"kl": 2.0},
    }
