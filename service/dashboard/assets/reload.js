// Load the page of a job again while it runs. Without scripts the page asks the browser to do so.
setTimeout(() => location.reload(), 3000);
