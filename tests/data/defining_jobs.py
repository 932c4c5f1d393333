"""The examples of GigQ's guide "Defining Jobs", as they stand there, by section."""

from __future__ import annotations

BASIC = """
from gigq import Job

# Create a simple job
job = Job(
    name="process_data",
    function=process_data_function,
    params={"filename": "data.csv", "threshold": 0.7}
)
"""

FUNCTION = '''
def process_data(filename, threshold=0.5):
    """
    Process data from a file.

    Args:
        filename: Path to the file to process
        threshold: Processing threshold (default: 0.5)

    Returns:
        dict: Processing results
    """
    # Process the data...
    return {
        "processed": True,
        "records": 100,
        "errors": 0,
        "threshold_used": threshold
    }
'''

IDENTIFICATION = """
# Get the job ID
job_id = job.id

# Use the ID when submitting the job
queue = JobQueue("jobs.db")
submitted_id = queue.submit(job)  # This will be the same as job.id

# Reference the job as a dependency
dependent_job = Job(
    name="dependent_job",
    function=another_function,
    dependencies=[job.id]
)
"""

PRIORITIES = """
# High priority job (will execute first)
high_priority_job = Job(
    name="urgent_task",
    function=urgent_function,
    priority=100
)

# Normal priority job
normal_job = Job(
    name="regular_task",
    function=regular_function,
    priority=0  # Default
)

# Low priority job (will execute last)
low_priority_job = Job(
    name="background_task",
    function=background_function,
    priority=-10
)
"""

TIMEOUTS = """
# Job with a 10-minute timeout
job_with_timeout = Job(
    name="long_running_task",
    function=long_running_function,
    timeout=600  # 10 minutes in seconds
)
"""

RETRIES = """
# Job that will retry up to 5 times
job_with_retries = Job(
    name="retry_task",
    function=potentially_failing_function,
    max_attempts=5
)
"""

RETRY_DELAY = """
# Wait 30 seconds between retries
job = Job(
    name="api_call",
    function=call_api,
    params={"url": "https://api.example.com/data"},
    max_attempts=3,
    retry_delay=30,
)
"""

DEPENDENCIES = """
# Create a job
first_job = Job(name="first_step", function=step_one)

# Submit to get an ID
queue = JobQueue("jobs.db")
first_job_id = queue.submit(first_job)

# Create a dependent job
second_job = Job(
    name="second_step",
    function=step_two,
    dependencies=[first_job_id]
)

# Submit the dependent job
queue.submit(second_job)
"""

ERROR_HANDLING = """
def robust_job_function(input_data):
    try:
        # Process data...
        return {"status": "success", "result": processed_data}
    except ValueError as e:
        # Handle expected errors
        return {"status": "error", "message": str(e)}
    # Unhandled exceptions will be caught by GigQ
"""

DATA_PROCESSING = '''
import pandas as pd
from gigq import Job, JobQueue

def process_csv(input_file, output_file, drop_nulls=False, columns=None):
    """
    Process a CSV file and save the results.

    Args:
        input_file: Path to input CSV
        output_file: Path to save processed CSV
        drop_nulls: Whether to drop rows with null values
        columns: Specific columns to keep (None means all)

    Returns:
        dict: Processing statistics
    """
    # Read the data
    df = pd.read_csv(input_file)
    initial_rows = len(df)

    # Apply transformations
    if columns:
        df = df[columns]

    if drop_nulls:
        df = df.dropna()

    # Save the results
    df.to_csv(output_file, index=False)

    # Return statistics
    return {
        "input_file": input_file,
        "output_file": output_file,
        "initial_rows": initial_rows,
        "final_rows": len(df),
        "rows_dropped": initial_rows - len(df),
        "columns_kept": list(df.columns)
    }

# Create the job
csv_job = Job(
    name="process_monthly_data",
    function=process_csv,
    params={
        "input_file": "data/monthly/raw_202301.csv",
        "output_file": "data/monthly/processed_202301.csv",
        "drop_nulls": True,
        "columns": ["date", "value", "category"]
    },
    max_attempts=2,
    timeout=300,
    description="Process monthly data for January 2023"
)

# Submit the job
queue = JobQueue("data_processing.db")
job_id = queue.submit(csv_job)

print(f"Submitted job: {job_id}")
'''
